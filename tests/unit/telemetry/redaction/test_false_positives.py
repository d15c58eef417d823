"""Redaction has no false positives: ordinary log lines, tracebacks and reviews do not change at all."""

import ast
import logging
import sys
import traceback
from pathlib import Path
from random import Random

import pytest

import service
import telemetry
from service.sandbox.ozon import review_texts as ozon_review_texts
from service.sandbox.wildberries import review_texts as wildberries_review_texts
from telemetry.redaction.policy import Policy

LINES = """
Invalid token: expired
Invalid token: signature verification failed
The token has no category for this.
WB_API_TOKEN is not set.
Wildberries does not accept the token: check WB_API_TOKEN.
OPS_TOKEN is (hidden), but must be a secret of at least 8 characters; without it the operations API is open.
prompt_tokens=512 completion_tokens=128 total_tokens=640
gen_ai.usage.input_tokens: 5123, gen_ai.usage.output_tokens: 96
max_output_tokens=1000 was not enough: 1000 of them were used
token_type=bearer expires_in=3600
A "Personal" token: 3 rps and 1 a minute
password: required
Password must be at least 8 characters
password=None token=null secret=***
The password is wrong, or the user is.
the database refuses the user or password
password authentication failed for user "sovani"
FATAL:  role "sovani" does not exist
Basic authentication is not supported by this server
bearer of bad news
The secretary of state said: nothing
Monkey: see, monkey: do
cache key: reviews:wb:page:3
key=value is what people write
primary key (id), foreign key (review_id) references reviews (id)
http://127.0.0.1:8080/docs
http://localhost:8080/x@y
https://feedbacks-api.wildberries.ru/api/v1/feedbacks?isAnswered=false&take=5000&skip=0&order=dateDesc
https://statistics-api.wildberries.ru/api/v1/supplier/orders?dateFrom=2026-11-27T08:00:00&flag=0
GET /jobs/status?job_name=sync_wb_orders&limit=50&before=1234 200
GET /jobs/stats/sync_wb_reviews?window=24h 200
sqlite:///var/sovani.db
postgresql+psycopg://localhost/sovani
postgresql+psycopg://sovani@db.internal:5432/sovani
sync_wb_orders: 120 orders read, 3 new, 117 known, in 0.52 s
run 4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7 lost its worker
trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
order 34343462218572569531 of srid 5eac2ab9b1b24a7f8f3e0d7a1c2b3d4e.0.0
posting 12345678-0001-1 is awaiting_deliver
nmId 163574283, barcode 2037401340280, chrtId 1234567890123456
at 1764230400.123456 s, that is 1764230400123456789 ns
2026-11-27 08:00:00,123 - uvicorn.error - INFO - Application startup complete.
4 workers, 8 threads, 2200 MB of 4000 MB, 65 %
phone 8 46 48 50 52 54 as sizes; 4111 2222 3333 4444 is no card
risk-assessment-2026 and task-queue-12345678
sk-learn and sk-SK are no keys
Session is closed; a new session begins
session idle: 30 s
signature of f() has 3 parameters: a, b, c
cookies are not used here
author: nobody; authority: none
credentials were refused
The passage is 3 m wide; compass: north
Retry-After: 30
X-Ratelimit-Remaining: 0
content-type: application/json
ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"
<Future at 0x7f25a337fb10 state=finished returned dict>
File "/usr/lib/python3.11/asyncio/runners.py", line 190, in run
[SQL: INSERT INTO reviews (id, name, text) VALUES (%(id)s, %(name)s, %(text)s)]
(sqlite3.IntegrityError) UNIQUE constraint failed: reviews.marketplace, reviews.external_id
(Background on this error at: https://sqlalche.me/e/20/gkpj)
""".strip().splitlines()


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy of a service that is configured completely."""
    made = Policy()
    made.add_secrets(
        {
            "TELEGRAM_TOKEN": "7712345678:AAF-one_of_its_own-abcdefghijklmno",
            "WB_API_TOKEN": "eyJhbGciOiJFUzI1NiJ9.eyJpZCI6MX0.c2lnbmF0dXJl",
            "OZON_API_KEY": "3f2b8c1e-9d1a-4a51-8b0b-0a1b2c3d4e5f",
            "OPENAI_API_KEY": "sk-proj-0123456789abcdefghij",
            "OPS_TOKEN": "correct horse battery",
        }
    )
    return made


@pytest.mark.parametrize("line", LINES)
def test_an_ordinary_line_is_left_alone(policy, line):
    assert policy.redact_text(line) == line


def test_ten_thousand_reviews_are_left_alone(policy):
    random = Random(1)
    reviews = [_review(random) for _ in range(10_000)]

    assert [text for text in reviews if policy.redact_text(text) != text] == []


def _review(random: Random) -> str:
    russian = [*_strings(ozon_review_texts), *_strings(wildberries_review_texts)]
    return " ".join(random.choices(russian, k=6)) + f" {random.randrange(10 ** random.randrange(1, 13))}"


def _strings(module) -> list[str]:
    if module.__name__ not in _strings_of_module:
        tree = ast.parse(Path(module.__file__).read_text())
        constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        _strings_of_module[module.__name__] = [text for text in constants if isinstance(text, str) and text]
    return _strings_of_module[module.__name__]


_strings_of_module: dict[str, list[str]] = {}


def test_tracebacks_through_code_that_handles_secrets_are_left_alone(policy):
    """Each line of our code, as a traceback shows it."""
    lines = 0
    for path in [each for package in (service, telemetry) for each in Path(package.__file__).parent.rglob("*.py")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip() and not _has_literal(line):
                text = f'Traceback (most recent call last):\n  File "{path}", line {number}, in f\n    {line.strip()}\nKeyError: 3'
                lines += 1
                assert policy.redact_text(text) == text
    assert lines > 10_000


def _has_literal(line: str) -> bool:
    """A quoted text after such a name is redacted in source code too, because it may be a value."""
    return '"' in line or "'" in line


def test_a_real_traceback_is_left_alone(policy):
    def open_session(token: str) -> None:
        password = len(token)
        raise ValueError(f"no session for {password}")

    try:
        open_session(token=str(sys.maxsize))
    except ValueError:
        text = traceback.format_exc()

    assert policy.redact_text(text) == text


def test_what_this_service_logs_at_its_start_is_left_alone(policy, caplog):
    for logger, line in (
        ("alembic", "Running upgrade  -> 0001, job_runs"),
        ("uvicorn.error", "Started server process [1234]"),
    ):
        logging.getLogger(logger).warning(line)

    assert all(policy.redact_text(message) == message for message in caplog.messages)
