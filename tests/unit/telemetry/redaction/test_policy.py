import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemetry.redaction.policy import Policy

BOT = "7712345678:AAF-canary_Canary-canary_CANARY-1a2b"
WB = "eyJhbGciOiJFUzI1NiJ9.eyJjYW5hcnkiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZQ"
PASSWORD = "kan/ar:ri&'\"vogel<1>"
KNOWN = {
    "TELEGRAM_TOKEN": BOT,
    "WB_API_TOKEN": WB,
    "OPS_TOKEN": "canary-ops-token",
    "password of DATABASE_URL": PASSWORD,
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    made = Policy()
    made.add_secrets(KNOWN)
    return made


@pytest.fixture(scope="module")
def patterns_only() -> Policy:
    """A policy without known secrets."""
    return Policy()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda value: quote(value, safe=""),
        quote_plus,
        lambda value: quote(value, safe="").replace("%3A", "%3a").replace("%2F", "%2f"),
        lambda value: json.dumps({"x": value}),
        lambda value: repr({"x": value}),
        html.escape,
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(f"u:{value}".encode()).decode(),
        lambda value: base64.b64encode(f"ab:{value}!".encode()).decode(),
        lambda value: base64.urlsafe_b64encode(f"abc:{value}".encode()).decode(),
    ],
)
def test_a_known_secret_is_hidden_in_every_form_and_its_name_says_what_was_there(policy, name, form):
    redacted = policy.redact_text(f"before {form(KNOWN[name])} after")

    assert f"[hidden {name}]" in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert KNOWN[name][4:12] not in redacted


@pytest.mark.parametrize("length", [12, 20, len(BOT) - 1])
def test_a_known_secret_that_was_cut_off_is_hidden_as_well(policy, length):
    assert policy.redact_text(f"at https://api.telegram.org/bot{BOT[:length]}") == (
        "at https://api.telegram.org/bot[hidden TELEGRAM_TOKEN]"
    )


def test_a_secret_too_short_to_be_told_from_words_is_hidden_only_where_its_shape_shows_it(patterns_only):
    patterns_only.add_secrets({"PASSWORD": "shop"})

    assert patterns_only.redact_text("the shop is open") == "the shop is open"
    assert patterns_only.redact_text("postgresql://me:shop@host/db") == "postgresql://me:[hidden password]@host/db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "POST https://api.telegram.org/bot123:short/getMe",
            "POST https://api.telegram.org/bot[hidden bot token]/getMe",
        ),
        (f"token {BOT} refused", "token [hidden bot token …1a2b] refused"),
        (f"sent {WB}", f"sent [hidden JWT …{WB[-4:]}]"),
        ("Authorization: Bearer abc123def456ghi789", "Authorization: Bearer [hidden token …i789]"),
        ("proxy-authorization: Basic dXNlcjpwYXNz", "proxy-authorization: Basic [hidden proxy authorization]"),
        ("sent bearer a1b2c3d4e5f6 to it", "sent bearer [hidden token] to it"),
        ("Incorrect API key provided: sk-proj-ab******wxyz", "Incorrect API key provided: [hidden key …wxyz]"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", "[hidden token …GHIJ]"),
        ("AKIAIOSFODNN7EXAMPLE", "[hidden token …MPLE]"),
        ("password=hunter2 user=me", "password=[hidden password] user=me"),
        ("PGPASSWORD=abc psql", "PGPASSWORD=[hidden password] psql"),
        ("pwd: hunter2!", "pwd: [hidden pwd]"),
        ('{"api_key": "abc", "id": 7}', '{"api_key": "[hidden api key]", "id": 7}'),
        ("{'Api-Key': 'abc', 'Client-Id': '7'}", "{'Api-Key': '[hidden api key]', 'Client-Id': '7'}"),
        ('{\\"secret\\": \\"abc\\"}', '{\\"secret\\": \\"[hidden secret]\\"}'),
        ("[(b'set-cookie', b'a=b; c=d')]", "[(b'set-cookie', b'[hidden set cookie]')]"),
        ("('Authorization', 'Bearer abc')", "('Authorization', '[hidden authorization]')"),
        ("    token = 'abc'\n    n = 3", "    token = '[hidden token]'\n    n = 3"),
        ('token = "abc, and no end\nx', 'token = "[hidden token]\nx'),
        ("Key (lower(name))=(Анна) already exists.", "Key (lower(name))=([hidden value]) already exists."),
        ("Invalid token: password: hunter2!", "Invalid token: password: [hidden password]"),
        ("postgresql+psycopg://me:p%40ss@host:5432/db", "postgresql+psycopg://me:[hidden password]@host:5432/db"),
        ("redis://:a/b@host", "redis://:[hidden password]@host"),
        ("https://glsa0123456789abcdef@host/x", "https://[hidden user …cdef]@host/x"),
        ("GET /x?key=abc&page=2", "GET /x?key=[hidden key]&page=2"),
        ("GET /x?n=1&cursor=abcdEFGH1234567890abcd", "GET /x?n=1&cursor=[hidden cursor …abcd]"),
        ("paid by 4111 1111 1111 1111, thanks", "paid by [hidden card …1111], thanks"),
        ("2200-0000-0000-0053", "[hidden card …0053]"),
        ("?card=4111%201111%201111%201111", "?card=[hidden card …1111]"),
        ("DETAIL:  Failing row contains (1, Анна, 5).\nx", "DETAIL:  Failing row contains ([hidden row]).\nx"),
        (
            "(psycopg.Error) no\nLINE 1: SELECT 'Анна' FROM x\n    ^\n[SQL: SELECT 'Анна', 7 FROM \"x\"]\n(Background on: 7)",
            '(psycopg.Error) no\nLINE 1: SELECT ? FROM x\n    ^\n[SQL: SELECT ?, ? FROM "x"]\n(Background on: 7)',
        ),
        ("Key (name)=(Анна) already exists.", "Key (name)=([hidden value]) already exists."),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nx",
            "[hidden private key]\nx",
        ),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(patterns_only, text, expected):
    assert patterns_only.redact_text(text) == expected


@pytest.mark.parametrize("text", [f"x {BOT} y", "password=hunter2", "Bearer abc123def456", "https://u:p@h/"])
def test_what_was_hidden_once_stays_as_it_is(policy, text):
    once = policy.redact_text(text)

    assert policy.redact_text(once) == once


def test_a_value_whose_name_says_so_is_hidden_wherever_it_is(patterns_only):
    given = {"apiKey": "abc", "nested": [{"password": "x", "pin": 3}], "session.token": 12345, "token": None, "n": 1}

    assert patterns_only.redact_value(given) == {
        "apiKey": "[hidden apiKey]",
        "nested": [{"password": "[hidden password]", "pin": 3}],
        "session.token": "[hidden token]",
        "token": None,
        "n": 1,
    }


def test_what_has_nothing_to_hide_comes_back_as_the_same_object(policy):
    attributes = {"http.route": "/jobs", "db.query.text": "SELECT a FROM b WHERE c = $1", "list": ["a", "b"], "n": 1}

    assert policy.redact_attributes(attributes) is attributes


def test_a_container_that_contains_itself_is_no_trouble(policy):
    endless: list = ["a"]
    endless.append(endless)

    assert policy.redact_value(endless) is endless


def test_a_secret_that_is_learned_later_is_hidden_in_what_was_seen_before():
    policy = Policy()
    assert policy.redact_value("the-late-secret") == "the-late-secret"

    policy.add_secrets({"LATE": "the-late-secret"})

    assert policy.redact_value("the-late-secret") == "[hidden LATE]"


def test_the_statement_of_a_query_is_kept_without_its_literals(policy):
    statement = "SELECT \"a'b\" FROM t1 WHERE name = 'O''Brien' AND n = 42 AND m = %(m_1)s LIMIT 10"

    assert policy.redact_value(statement, "db.query.text") == (
        'SELECT "a\'b" FROM t1 WHERE name = ? AND n = ? AND m = %(m_1)s LIMIT ?'
    )
    assert policy.redact_value("UPDATE t SET x = 'cut o", "db.statement") == "UPDATE t SET x = ?"
    assert policy.redact_value("SELECT $tag$ a 'b' $tag$, 1.5e3", "db.query.text") == "SELECT ?, ?"


def test_a_query_string_by_itself_is_read_as_one(policy):
    assert policy.redact_value("key=abc&n=1", "url.query") == "key=[hidden key]&n=1"


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=400))
def test_whatever_the_text_is_nothing_is_raised_and_no_known_secret_comes_out(policy, text):
    redacted = policy.redact_text(f"{text}{BOT}{text}")

    assert BOT not in redacted


@settings(deadline=None, max_examples=30)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=8, max_size=60))
@example("0Â\x800000000")  # two characters that are also the bytes of the second one
@example("0Ã\x82Â\x8000000000")
def test_a_secret_may_be_any_text(value):
    policy = Policy()
    policy.add_secrets({"ANY": value})

    assert value not in policy.redact_text(f"«{value}»").replace("[hidden ANY]", "")


@pytest.mark.parametrize(
    "text",
    [
        "token" * 10_000,
        "password" + " " * 30_000,
        "eyJ" * 20_000,
        "://" * 20_000,
        "a://" + "b" * 30_000,
        "?a=" * 20_000,
        "Key (" * 10_000,
        "[SQL: '" * 10_000,
        "LINE 1: " * 10_000,
        "4111 " * 10_000,
        "'" * 30_000,
        "sk-" * 20_000,
        "Bearer " * 10_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        'token="' + "\\" * 30_000,
    ],
)
@pytest.mark.timeout(10)
def test_no_text_takes_long(patterns_only, text):
    """Only time that grows with the square of the length exceeds the timeout."""
    patterns_only.redact_text(text)
    patterns_only.redact_value(text, "db.query.text")
