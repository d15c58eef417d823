"""Texts and values that break other pages: nothing runs, nothing fails, and a person is told what is not used."""

import asyncio
import logging
import zlib
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.requests import Request

import telemetry
from telemetry import console
from telemetry.console import Action, ConsoleOptions, ConsolePage, Notice, Refused, ScheduledJob
from telemetry.console.access.attempts import MAX_ATTEMPTS
from telemetry.console.access.gate import Gate
from telemetry.jobs import monitor_job
from telemetry.settings import TelemetrySettings
from tests.support.console_pages import OWN_PAGES

ORIGIN = {"origin": "http://127.0.0.1:8080"}
HOSTILE = (
    "<script>alert(1)</script><svg onload=alert(1)>\"' onmouseover=alert(1) x='</title></textarea></svg>]]>-->"
    "{{7*7}}{%raw%}javascript:alert(1)\x00\x1b[31m\u202e\ud800\r\nSet-Cookie: a=b"
)
CHOSEN = {
    "": ["window"],
    "/requests": ["window", "sort", "own"],
    "/jobs": ["window", "page"],
    "/jobs/odd": ["window", "status", "before"],
    "/jobs/odd/run": ["window"],
    "/outside": ["window"],
    "/alerts": ["window", "state", "before"],
    "/traces": ["window", "kind", "outcome", "slower", "before"],
    "/logs": ["window", "level", "follow", "before"],
    "/telemetry": ["window"],
}
TYPED = {
    "/requests": ["find"],
    "/jobs": ["q"],
    "/alerts": ["component"],
    "/traces": ["name", "status", "id"],
    "/logs": ["component", "text", "trace"],
}
NO_TEXT = ("%00", "a%00b", "%ED%A0%80", "a%ED%B0%80b", "%ff", "%1b[31m", "x" * 201, quote("<b>" * 100))
"""As in a URL: NUL, surrogates, bytes that are no UTF-8, control characters, and what is too long."""
ODD = (
    "-1",
    "nan",
    "1e999",
    "9" * 5000,
    "\u0663",
    "\u00b2",
    "1_000",
    "0x1g",
    "\x00",
    "a\x00b",
    "..",
    HOSTILE.replace("\ud800", ""),
)
log = logging.getLogger("shop")


class Schedule:
    def schedule(self):
        return [
            ScheduledJob(HOSTILE.replace("\ud800", ""), HOSTILE, missing=HOSTILE),
            *(ScheduledJob(f"job {n}") for n in range(15)),
        ]

    def missed(self, _since):
        return []


def refuse(_view):
    raise Refused(HOSTILE)


OWN = ConsolePage(
    "/own", "Own", "jobs.html", refuse, actions=[Action("/own", lambda view: HOSTILE + view.form.get("a", ""), "/own")]
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    app = FastAPI(title=HOSTILE)

    @app.get("/bad")
    def bad() -> None:
        tracer = telemetry.current().tracer_provider.get_tracer("shop")
        with tracer.start_as_current_span(HOSTILE, attributes={HOSTILE: HOSTILE, "big": "<" * 1_000_000}) as span:
            span.add_event(HOSTILE, {HOSTILE: [HOSTILE]})
        log.error(HOSTILE, extra={"component": HOSTILE})
        raise HTTPException(503)

    running = telemetry.start(app=app, settings=TelemetrySettings(data_dir=tmp_path_factory.mktemp("data")), logs=False)
    telemetry.create_tables(running.engine)
    notice = Notice(HOSTILE, link="/<script>", link_text=HOSTILE, is_banner=True)
    console.mount(app, options=ConsoleOptions(title=HOSTILE, jobs=Schedule(), notices=lambda: [notice], pages=[OWN]))
    client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)
    client.get("/bad")
    with pytest.raises(ValueError, match="script"), monitor_job("odd", metadata={"at": HOSTILE}):
        raise ValueError(HOSTILE)
    writer = running.recent._keeper._writer
    writer._written_at = float("-inf")
    writer.step()
    client.recent = running.recent
    yield client
    telemetry.shutdown()


class Tags(HTMLParser):
    """The tags of a page that run something, and how many there are of those that a page has once."""

    def __init__(self, text):
        super().__init__()
        self.running, self.once = [], Counter()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.once[tag] += tag in {"main", "body", "head"}
        is_foreign = tag in {"script", "iframe", "object", "base", "embed"} and "/console/static/" not in (
            named.get("src") or ""
        )
        links = [value or "" for name, value in attrs if name in {"href", "src", "action", "formaction", "xlink:href"}]
        if is_foreign or any(name.startswith(("on", "style")) for name in named) or not all(map(_is_own, links)):
            self.running.append((tag, attrs))


def _is_own(link):
    return link.startswith(("/console", "/%3Cscript", "/<script", "#"))


def assert_harmless(page):
    tags = Tags(page.text)
    assert tags.running == []
    assert max(tags.once.values()) == 1
    assert "set-cookie" not in page.headers or "a=b" not in page.headers["set-cookie"]
    assert page.content == page.text.encode()


@pytest.mark.parametrize(
    "path", [*OWN_PAGES, "/jobs/odd", f"/jobs/{quote(HOSTILE.partition(chr(13))[0], errors='replace')}"]
)
def test_nothing_that_is_shown_runs(browser, path):
    page = browser.get(f"/console{path}")

    assert page.status_code in {200, 404}
    assert_harmless(page)


def test_nothing_in_a_trace_runs(browser):
    trace = browser.recent.traces.search(name="/bad")[0]
    page = browser.get(f"/console/traces/{trace.trace_id}", params={"span": HOSTILE.replace("\ud800", "")})

    assert page.status_code == 200
    assert "&lt;svg" in page.text
    assert len(page.content) < 150_000
    assert_harmless(page)


def test_what_an_application_says_is_shown_as_text(browser):
    page = browser.get("/console/own")

    assert page.status_code == 409
    assert_harmless(page)


def test_what_was_done_is_shown_as_text(browser):
    done = browser.post("/console/own", data={"a": "b"}, headers=ORIGIN)
    shown = browser.get("/console")

    assert done.status_code == 303
    assert done.headers["location"] == "/console/own"
    assert "{{7*7}}" in shown.text
    assert_harmless(shown)


@pytest.mark.parametrize("path", CHOSEN)
def test_values_that_are_none_leave_the_default_and_a_word(browser, path):
    for value in ODD:
        assert_default_and_word(browser, path, [(name, quote(value)) for name in CHOSEN[path]])


@pytest.mark.parametrize("path", TYPED)
def test_texts_that_are_none_leave_the_default_and_a_word(browser, path):
    for value in NO_TEXT:
        assert_default_and_word(browser, path, [(name, value) for name in TYPED[path]])


@pytest.mark.parametrize(("path", "name"), [("/traces", "id"), ("/logs", "trace")])
def test_trace_ids_that_are_none_leave_the_default_and_a_word(browser, path, name):
    for value in ("-1", "0xg", "..", "f" * 33, "a b"):
        assert_default_and_word(browser, path, [(name, value)])


def assert_default_and_word(browser, path, given):
    query = "&".join(f"{name}={value}" for name, value in given)
    page = browser.get(f"/console{path}?{query}")
    assert page.status_code == 200
    assert page.text.count(": not used.") == len(given), query[:200]
    assert_harmless(page)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "JaVaScRiPt:x", " javascript:x"],
)
def test_a_link_that_a_browser_would_run_is_refused(link):
    with pytest.raises(ValueError, match="begins with http"):
        Notice("Look", link=link)


def test_a_trace_whose_spans_are_damaged_is_told(browser):
    trace_id = "a" * 32
    with browser.recent.database.writing() as connection:
        connection.execute(
            "INSERT INTO traces SELECT ?, kind, name, method, status, failed, started, seconds, spans, bytes, kept_as FROM traces LIMIT 1",
            (trace_id,),
        )
        for part, body in enumerate((b"\x00", zlib.compress(b"[]"), zlib.compress(b'{"spans":[{}],"left_out":0}'))):
            connection.execute("INSERT INTO trace_spans VALUES (?, ?, ?)", (trace_id, part, body))

    page = browser.get(f"/console/traces/{trace_id}")

    assert page.status_code == 200
    assert "The trace cannot be read now: " in page.text


def test_a_message_of_any_text_is_a_page(browser):
    page = Gate("/console", "shop").message(_request(), 404, "Not found", HOSTILE)

    assert b"alert(1)" in page.body


@pytest.mark.usefixtures("browser")
def test_tries_whose_form_comes_late_are_counted():
    running = telemetry.current()
    gate = Gate("/console", "shop")

    async def receive():
        for _ in range(MAX_ATTEMPTS):  # others are tried while this one's form is on its way
            gate._attempts.note("10.0.0.7", running.recent.database)
        return {"type": "http.request", "body": b"token=wrong"}

    headers = [(b"host", b"h"), (b"origin", b"http://h"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/console/sign-in", "headers": headers, "query_string": b""}
    late = Request({**scope, "client": ("10.0.0.7", 1)}, receive)

    assert asyncio.run(gate.sign_in(late, running)).status_code == 429


def _request():
    return Request({"type": "http", "method": "GET", "path": "/console", "headers": []})
