"""An invented secret in each place and each form of a table: nothing that leaves the service has one of them."""

import base64
import json
import re
import signal
from urllib.parse import quote

import pytest

from tests.support.canaries import IN_REQUESTS, TABLE, core, secret_of, variables
from tests.support.console_pages import CONSOLE_PAGES
from tests.support.kept_spans import kept_spans
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs, eventually
from tests.support.refusing_server import refusing_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("canaries")]
OPS_TOKEN = "an-ops-token-of-this-test"
DROPPED = {"X-Request-ID", "tracestate", "trace state value", "trace state key", "link trace state"}
"""Where nothing replaces the secret: the id or the entry is left out."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Everything that went out, without line breaks: log files, console, OTLP, pages, and messages of alerts."""
    programs = Programs(tmp_path_factory.mktemp("canaries"))
    try:
        with refusing_server() as refusing, otlp_receiver() as collector:
            yield _said(programs, refusing, collector)
    finally:
        programs.kill()


def _said(programs, refusing, collector) -> dict[str, str]:
    service = programs.uvicorn(
        "tests.support.canaries:application",
        "--factory",
        **variables(),
        OPS_TOKEN=OPS_TOKEN,
        ALERT_WEBHOOK_URL=f"{refusing.url}/hook",
        LOG_LEVEL="DEBUG",
        ENABLE_JSON_LOGGING="true",
        OTEL_TRACES_SAMPLER="always_on",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_METRIC_EXPORT_INTERVAL="500",
        OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST=".*",
        DATA_DIR="data",
        LOG_DIR="data/log",
        DATABASE_URL="sqlite:///data/shop.db",
        PYTHONDONTWRITEBYTECODE="1",
    )
    service.wait_for("/readyz", within=120)
    bearer = {"authorization": f"Bearer {OPS_TOKEN}"}
    answers = {"places": service.get("/canaries/say", timeout=100)}
    assert answers["places"].json() == []
    state = f"vendor={secret_of('tracestate')}"
    headers = {
        "X-Request-ID": secret_of("X-Request-ID"),
        "tracestate": state,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "user-agent": f"shop {secret_of('user-agent')}",
        "referer": f"http://shop/{secret_of('referer')}",
    }
    answers["headers"] = service.get("/api/v1/reviews", **headers)
    answers["path"] = service.get(f"/no/{secret_of('path')}/x?a={quote(secret_of('query'))}")
    answers["host"] = service.get("/api/v1/reviews", host=f"{secret_of('host')}.example")
    eventually(lambda: refusing.bodies)
    eventually(lambda: "canaries_counted" in collector.metrics())
    paths = ("/metrics", "/jobs", "/jobs/status?limit=1000", "/alerts?limit=200", "/healthz", "/readyz?verbose")
    for path in (*paths, *CONSOLE_PAGES):
        answers[path] = service.get(path, **bearer)
    for path in set(re.findall(r"/console/traces/[0-9a-f]{32}", answers["/console/traces"].text)):
        answers[path] = service.get(path, **bearer)
    service.tell(signal.SIGTERM)
    service.exit_code(60)
    silences = programs.run("-m", "service", "silence", "--list", **variables(), DATA_DIR="data", LOG_DIR="data/log")
    return {
        **{f"answer of {path}": f"{answer.headers} {answer.text}" for path, answer in answers.items()},
        "console": service.said(),
        "spans of the console": kept_spans(programs.home / "data" / "recent.db"),
        "silences": silences.stdout + silences.stderr,
        "messages": "\n".join(refusing.bodies),
        "OTLP": "\n".join(
            f"{each} {each.SerializeToString().decode('utf-8', 'replace')}" for _, each in collector._received
        ),
        **{
            str(path.relative_to(programs.home)): path.read_bytes().decode("utf-8", "replace")
            for path in (programs.home / "data").rglob("*")
            if path.is_file() and not path.is_socket()
        },
    }


@pytest.fixture(scope="module")
def joined(outputs):
    """Base64 in lines is one text here: line breaks, also escaped ones, are left out."""
    return {name: re.sub(r"(?:\r|\n|\\+[rn])\s*", "", text) for name, text in outputs.items()}


@pytest.mark.parametrize("place", TABLE)
def test_no_secret_goes_out_by_any_place_or_in_any_form(joined, place):
    wanted = _recognizable(core(place))

    assert [name for name, text in joined.items() if any(part in text for part in wanted)] == []


@pytest.mark.parametrize("place", [place for place in TABLE if place not in DROPPED])
def test_what_replaces_it_says_what_was_there(outputs, place):
    name = f"canary_{TABLE.index(place):03d}_token"  # the SDK writes names of metrics in lower case

    assert [where for where, text in outputs.items() if name in text.lower()] != []


def test_the_table_has_a_hundred_places_and_forms():
    assert len(TABLE) >= 100
    assert set(IN_REQUESTS) < set(TABLE)


def test_the_search_itself_finds_what_is_there():
    secret = secret_of(TABLE[-1])
    shown = [json.dumps(secret), quote(secret), base64.b64encode(f"u:{secret}".encode()).decode()]

    assert [text for text in shown if any(part in text for part in _recognizable(core(TABLE[-1])))] == shown


def _recognizable(text: str) -> set[str]:
    """The text, and what is the same in any base64 of it, and in the base64 of that."""
    once = _in_base64(text)
    return {text, *once, *(twice for each in once for twice in _in_base64(each))}


def _in_base64(text: str) -> set[str]:
    return {base64.b64encode(b"\0" * offset + text.encode()).decode().rstrip("=")[4:-1] for offset in range(3)}
