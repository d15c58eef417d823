"""Canaries: a value of its own for every secret, sent through every path; then all that left the service is searched."""

import base64
import json
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.console_pages import CONSOLE_PAGES
from tests.support.kept_spans import kept_spans
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs, eventually
from tests.support.refusing_server import refusing_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SECRETS = {
    "TELEGRAM_TOKEN": "7766554433:AAKanarie_Telegram-0aB1cD2eF3gH4iJ5kL6m",
    "WB_API_TOKEN": ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (
            b'{"alg":"ES256"}',
            b'{"exp":4102444800,"s":1073741826,"sid":"kanarie-wb-sid"}',
            b"kanarie-wb-signature",
        )
    ),
    "WB_CLIENT_SECRET": "kanarie-wb-client-secret-9f8e",
    "OZON_API_KEY": "kanarie0-0z0n-4k3y-9f8e-7d6c5b4a3928",
    "OPENAI_API_KEY": "sk-proj-kanarieOpenAI0123456789abcdefghijklmnop",
    "OPS_TOKEN": "kanarie ops/token+42",
    "PASSWORD": "kan@rie:db/pass'word\"7",
    "HOOK": "/hook/T00/B00/kanarieHookSecret42",
    "COLLECTOR": "kanarieCollectorHeader42",
}
# What strangers bring with them, which no setting names.
STRANGERS = {
    "query": "kanarieQueryToken0123456789",
    "bearer": "kanarieBearer0123456789",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJrYW5hcmllIjoxMjM0NTZ9.a2FuYXJpZS1qd3Qtc2lnbmF0dXJl",
    "password": "kanariePassw0rd",
    "card": "4111 1111 1111 1111",
    "buyer": "Канарейкина Анна",
    "literal": "kanarieLiteral",
}
# What the service is there to keep is no leak.
DATA = {("data/shop.db", "buyer"), ("data/shop.db-wal", "buyer")}
APP = """
import base64, logging, sys, traceback
from urllib.parse import quote
from fastapi import Request
from opentelemetry import metrics, trace
from sqlalchemy import text
from service.main import create_app
from service.settings import Settings
from telemetry.alerts.service import get_alert_service
from telemetry.alerts.alert import AlertLevel
from telemetry.jobs import monitor_job

SECRETS, STRANGERS, DSN = {secrets!r}, {strangers!r}, {dsn!r}
app = create_app()
log = logging.getLogger("canaries")
ALL = [*SECRETS.values(), STRANGERS["jwt"], STRANGERS["card"]]
ALL += [quote(each, safe="") for each in ALL] + [base64.b64encode(f"x:{{each}}".encode()).decode() for each in SECRETS.values()]
SAID = " ".join(ALL) + f" Bearer {{STRANGERS['bearer']}} password={{STRANGERS['password']}} {{DSN}}"


@app.get("/canary/crash")
def crash():
    api_key, session_token = STRANGERS["password"], STRANGERS["bearer"]
    raise RuntimeError(f"cannot connect to {{DSN}}: {{SAID}}")


@app.get("/canary/locals")
def show_locals():
    token, password = STRANGERS["bearer"], STRANGERS["password"]
    try:
        raise ValueError(SAID)
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        log.error("with locals: %s", "".join(shown.format()), extra={{"token": token, "headers": {{"Authorization": "Bearer " + token}}}})
        log.exception("failed with %s", SAID)
        log.warning("body %s", {{"api_key": token, "nested": [{{"password": password}}]}})
        log.info("%r %s", ("Authorization", "Bearer " + token), SAID)


@app.get("/canary/span")
def span():
    tracer = trace.get_tracer("canaries")
    with tracer.start_as_current_span("span " + SECRETS["TELEGRAM_TOKEN"]) as made:
        made.set_attribute("url.full", "https://api.telegram.org/bot" + SECRETS["TELEGRAM_TOKEN"] + "/x?token=" + STRANGERS["query"])
        made.set_attribute("http.request.header.authorization", ["Bearer " + STRANGERS["bearer"]])
        made.set_attribute("everything", ALL)
        made.add_event("said " + SECRETS["OPENAI_API_KEY"], {{"password": STRANGERS["password"], "text": SAID}})
        made.set_status(trace.StatusCode.ERROR, SAID)
    counter = metrics.get_meter("canaries").create_counter("canaries")
    for each in ALL:
        counter.add(1, {{"label": each}})


@app.get("/canary/sql")
def sql():
    engine = app.state.runtime.engine
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS people (name TEXT UNIQUE)"))
        connection.execute(text(f"SELECT name FROM people WHERE name = '{{STRANGERS['literal']}}'"))
        connection.execute(text("DELETE FROM people"))
    for _ in range(2):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO people VALUES (:name)"), {{"name": STRANGERS["buyer"]}})


@app.get("/canary/job")
def job():
    with monitor_job("canary", metadata={{"token": STRANGERS["bearer"], "said": SAID, "deep": [{{"password": STRANGERS["password"]}}]}}) as run:
        run.metadata["later"] = SAID
        raise RuntimeError(SAID)


@app.get("/canary/alert")
async def alert():
    await get_alert_service().send_alert(SAID, level=AlertLevel.CRITICAL, component="canaries")


@app.get("/canary/said/{{anything:path}}")
def problem(anything: str, limit: int = 0):
    from service.errors import Problem
    raise Problem(f"{{anything}} {{SAID}}")


@app.get("/canary/thread")
def thread():
    import threading
    def fail():
        raise RuntimeError(SAID)
    made = threading.Thread(target=fail); made.start(); made.join()
"""


def forms(value: str) -> set[str]:
    """What would be recognised as it: whole, URL-encoded, escaped, in base64, and its first sixteen characters."""
    inside = [base64.b64encode(b"\0" * before + value.encode()).decode()[4:-4] for before in range(3)]
    found = {
        value,
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        *inside,
    }
    return {each for each in {*found, *(each[:16] for each in found)} if len(each) >= 8}


def hits(texts: dict[str, str]) -> list[tuple[str, str]]:
    wanted = {form: name for name, value in {**SECRETS, **STRANGERS}.items() for form in forms(value)}
    return [
        (where, f"{name}: …{text[max(0, at - 60) : at + 60]!r}")
        for where, text in texts.items()
        for form, name in wanted.items()
        if (where, name) not in DATA
        if (at := text.find(form)) >= 0
    ]


def files(directory: Path, besides: str) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_bytes().decode("utf-8", "replace")
        for path in directory.rglob("*")
        if path.is_file() and path.name not in besides and not path.is_socket()
    }


@pytest.fixture
def world():
    with refusing_server() as refusing, otlp_receiver() as collector:
        yield refusing, collector


def test_no_secret_leaves_by_any_path(programs: Programs, world, tmp_path):
    refusing, collector = world
    dsn = f"postgresql+psycopg://kanarie:{quote(SECRETS['PASSWORD'], safe='')}@127.0.0.1:9/shop"
    programs.write("canaries.py", APP.format(secrets=SECRETS, strangers=STRANGERS, dsn=dsn))
    bearer = {"authorization": f"Bearer {SECRETS['OPS_TOKEN']}"}
    service = programs.uvicorn(
        "canaries:app",
        **{
            name: SECRETS[name]
            for name in (
                "TELEGRAM_TOKEN",
                "WB_API_TOKEN",
                "WB_CLIENT_SECRET",
                "OZON_API_KEY",
                "OPENAI_API_KEY",
                "OPS_TOKEN",
            )
        },
        PGPASSWORD=SECRETS["PASSWORD"],
        MANAGER_CHAT_ID="42",
        TELEGRAM_API_URL=f"{refusing.url}/telegram",
        ALERT_WEBHOOK_URL=refusing.url + SECRETS["HOOK"],
        WB_FEEDBACKS_URL=f"{refusing.url}/wb",
        WB_STATISTICS_URL=f"{refusing.url}/wb",
        OZON_CLIENT_ID="4242",
        OZON_API_URL=f"{refusing.url}/ozon",
        OPENAI_BASE_URL=f"{refusing.url}/openai",
        OPENAI_MODEL="gpt-5.4-mini",
        LOG_LEVEL="DEBUG",
        ENABLE_JSON_LOGGING="true",
        OTEL_TRACES_SAMPLER="always_on",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS=f"Authorization=Bearer%20{SECRETS['COLLECTOR']}",
        OTEL_BSP_SCHEDULE_DELAY="200",
        OTEL_BLRP_SCHEDULE_DELAY="200",
        OTEL_METRIC_EXPORT_INTERVAL="500",
        DATA_DIR="data",
        LOG_DIR="data/log",
        DATABASE_URL="sqlite:///data/shop.db",
        PYTHONDONTWRITEBYTECODE="1",
    )
    service.wait_for("/readyz")
    answers = {}
    for path in (
        "crash",
        "locals",
        "span",
        "sql",
        "job",
        "alert",
        "thread",
        f"said/{quote(SECRETS['TELEGRAM_TOKEN'])}",
    ):
        answers[path] = service.get(f"/canary/{path}?token={STRANGERS['query']}&limit=1")
    answers["validation"] = service.get(f"/canary/said/x?limit={STRANGERS['jwt']}")
    answers["unknown"] = service.get(f"/no/bot{SECRETS['TELEGRAM_TOKEN']}/x")
    answers["refused"] = service.get("/jobs", authorization=f"Bearer {STRANGERS['bearer']}")
    _send_what_is_answered_with_nothing(service)
    for place, given in _odd_places(service).items():
        answers[place] = httpx.post(service.url + place, **given, timeout=10, trust_env=False)

    eventually(lambda: _all_called(refusing), 45)
    eventually(lambda: _told_by_every_signal(collector), 30)
    eventually(lambda: _failed_run_is_kept(service.get("/jobs/status?job_name=canary", **bearer)))
    for path in (
        "/metrics",
        "/jobs",
        "/jobs/status?limit=1000",
        "/alerts",
        "/healthz",
        "/readyz?verbose",
        "/openapi.json",
        "/api/v1/reviews",
        "/console/jobs/canary",
        *CONSOLE_PAGES,
    ):
        answers[path] = service.get(path, **bearer)
    for trace in set(re.findall(r"/console/traces/([0-9a-f]{32})", answers["/console/traces"].text)):
        answers[f"trace {trace}"] = service.get(f"/console/traces/{trace}", **bearer)
    assert "/canary/crash" in answers["/console/traces"].text
    assert "with locals" in answers["/console/logs"].text
    _failed_run_is_kept(answers["/jobs/status?limit=1000"])
    service.tell(signal.SIGTERM)
    service.exit_code(30)
    commands = {
        name: programs.run("-m", "service", *name.split(), **_unreachable(dsn, refusing))
        for name in ("doctor", "jobs", "run-job sync_wb_orders")
    }

    left = {
        **{f"answer of {path}": f"{answer.headers} {answer.text}" for path, answer in answers.items()},
        **{f"command {name}": done.stdout + done.stderr for name, done in commands.items()},
        **files(programs.home, besides="canaries.py"),
        "spans of the console": kept_spans(programs.home / "data" / "recent.db"),
        "messages": "\n".join(refusing.bodies),
        "OTLP": "\n".join(
            f"{message} {message.SerializeToString().decode('utf-8', 'replace')}" for _, message in collector._received
        ),
    }
    assert hits(left) == []
    assert _says_what_was_hidden(left)


def _odd_places(service) -> dict[str, dict[str, Any]]:
    """Requests with a secret in a body or a header, by their paths."""
    headers = {
        "origin": service.url,
        "cookie": f"session={STRANGERS['jwt']}; console={STRANGERS['bearer']}",
        "x-api-key": STRANGERS["password"],
        "proxy-authorization": f"Bearer {STRANGERS['bearer']}",
        "referer": f"{service.url}/?token={STRANGERS['query']}",
    }
    every = {**SECRETS, **STRANGERS}
    return {
        "/canary/crash": {"headers": headers},
        "/console/sign-in": {"headers": headers, "data": {"token": SECRETS["OPENAI_API_KEY"], **every}},
        "/console/jobs/canary/pause": {"headers": headers, "data": {"reason": SECRETS["OZON_API_KEY"]}},
        "/api/v1/reviews/1/answer": {"headers": headers, "json": every},
        "/jobs/canary/pause": {"headers": headers, "content": json.dumps(every)[:-9]},
    }


def _send_what_is_answered_with_nothing(service) -> None:
    """Of these the client gets its own URL back, and nothing else may have it."""
    service.get(f"/console?token={STRANGERS['query']}")
    service.get(f"/console/logs?text={STRANGERS['jwt']}&follow={quote(SECRETS['TELEGRAM_TOKEN'])}")
    service.get(f"/console/sign-in?next={quote('/console?token=' + STRANGERS['query'], safe='')}")


def _all_called(refusing) -> bool:
    assert {"/wb", "/ozon", "/telegram", "/hook"} <= set(refusing.calls)
    return True


def _told_by_every_signal(collector) -> bool:
    assert collector.paths() == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert any("hidden TELEGRAM_TOKEN" in name for name in collector.spans())
    assert "canaries" in collector.metrics()
    return True


def _failed_run_is_kept(answer: httpx.Response) -> bool:
    assert [bool(run["error_message"]) for run in answer.json()["runs"] if run["job_name"] == "canary"] == [True]
    return True


def _says_what_was_hidden(left) -> bool:
    """The search looked where something was: each of these holds marks."""
    marked = (
        "answer of /jobs/status?limit=1000",
        "answer of /alerts",
        "answer of /console/logs",
        "spans of the console",
        "messages",
        "OTLP",
        "0.err",
        "data/log/sovani.jsonl",
        "data/log/alerts.log",
    )
    return [where for where in marked if "[hidden " not in left[where] and "hidden TELEGRAM" not in left[where]] == []


def _unreachable(dsn: str, refusing) -> dict[str, str]:
    return {
        "DATABASE_URL": dsn,
        "WB_API_TOKEN": SECRETS["WB_API_TOKEN"],
        "WB_FEEDBACKS_URL": f"{refusing.url}/wb",
        "WB_STATISTICS_URL": f"{refusing.url}/wb",
        "TELEGRAM_TOKEN": SECRETS["TELEGRAM_TOKEN"],
        "TELEGRAM_API_URL": f"{refusing.url}/telegram",
        "MANAGER_CHAT_ID": "42",
        "LOG_LEVEL": "DEBUG",
        "DATA_DIR": "other",
        "LOG_DIR": "other/log",
    }


def test_the_search_itself_finds_what_is_there(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as opened:
        opened.execute("CREATE TABLE t (x)")
        opened.execute("INSERT INTO t VALUES (?)", (base64.b64encode(f"u:{SECRETS['OPS_TOKEN']}".encode()).decode(),))
        opened.commit()
    (tmp_path / "x.json").write_text(json.dumps({"x": SECRETS["PASSWORD"], "y": STRANGERS["buyer"]}))

    found = {where for where, _ in hits(files(tmp_path, besides=""))}

    assert found == {"x.db", "x.json"}
