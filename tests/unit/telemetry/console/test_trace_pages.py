"""The pages of traces and log lines."""

import html
import logging
import re

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

import telemetry
from telemetry import console
from telemetry.jobs import monitor_job
from telemetry.settings import TelemetrySettings

HTML = '<script>alert("x")</script>'
log = logging.getLogger("shop.orders")


def tracer():
    return telemetry.current().tracer_provider.get_tracer("shop")


def shop() -> FastAPI:
    app = FastAPI(title="shop")

    @app.get("/ok/{number}")
    def ok(number: int) -> int:
        log.info("fine")
        return number

    @app.get("/bad")
    def bad() -> None:
        log.info("before it failed %s", HTML)
        with tracer().start_as_current_span(HTML, attributes={"note": HTML}) as span:
            span.add_event("looked", {"at": HTML})
        try:
            raise ValueError(HTML)
        except ValueError:
            log.exception("it failed")
        raise HTTPException(503)

    return app


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """An application with the console, and what it keeps: three requests, two runs, and their lines."""
    app, level = shop(), log.level
    log.setLevel(logging.INFO)
    settings = TelemetrySettings(data_dir=tmp_path_factory.mktemp("data"))
    started = telemetry.start(app=app, settings=settings, logs=False)
    telemetry.create_tables(started.engine)
    console.mount(app)
    client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), raise_server_exceptions=False)
    for path in ("/ok/1", "/bad", "/nowhere"):
        client.get(path)
    with monitor_job("sync"):
        log.warning("odd 100%", extra={"component": "ozon"})
    with monitor_job("great"):
        for number in range(300):
            with tracer().start_as_current_span(f"step {number}"):
                pass
    keeper = started.recent._keeper
    keeper._writer._written_at = float("-inf")
    keeper._writer.step()
    client.recent = started.recent
    yield client
    telemetry.shutdown()
    log.setLevel(level)


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", " ", page.text))


def rows(page):
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return body.count("<tr")


def failed_trace(running):
    return running.recent.traces.search(name="/bad")[0].trace_id


def test_traces_are_listed(running):
    page = running.get("/console/traces")

    assert page.status_code == 200
    assert rows(page) == 5
    shown = text_of(page)
    for text in ("GET /ok/{number}", "GET /bad", "503", "job sync", "failed", "job run", "GET unmatched"):
        assert text in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("name=/bad", 1),
        ("kind=job", 2),
        ("kind=request", 3),
        ("outcome=failed", 1),
        ("outcome=ok", 4),
        ("status=404", 1),
        ("slower=1h", 0),
        ("slower=0", 5),
        ("before=1", 0),
        ("name=%25", 0),
        ("name=x&kind=job", 0),
        ("id=0000000000000000000000000000000f", 0),
    ],
)
def test_traces_are_filtered(query, number, running):
    page = running.get(f"/console/traces?{query}")

    assert page.status_code == 200
    assert rows(page) == number
    assert number or "No trace that is kept fits" in page.text


@pytest.mark.parametrize("length", [6, 32])
def test_a_trace_is_found_by_its_id_or_the_beginning_of_it(length, running):
    trace_id = failed_trace(running)

    assert rows(running.get(f"/console/traces?window=15m&id={trace_id[:length].upper()}")) == 1


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("kind=nothing", "is none of request, job, other: not used."),
        ("outcome=x", "is none of failed, ok: not used."),
        ("slower=fast", "is no duration"),
        ("id=*", "32 hexadecimal digits"),
        ("before=x", "is no time, in seconds since 1970: not used."),
    ],
)
def test_values_that_are_none_leave_the_default(query, note, running):
    page = running.get(f"/console/traces?{query}")

    assert page.status_code == 200
    assert note in text_of(page)
    assert rows(page) == 5


def test_a_trace_is_shown_with_its_spans_and_lines(running):
    page = running.get(f"/console/traces/{failed_trace(running)}")

    assert page.status_code == 200
    assert rows(page) == 2
    assert page.text.count("<rect class=") == 3  # two bars and the mark of an event
    shown = re.sub(r"\s+", " ", text_of(page))
    for text in ("GET /bad", "503", "kept as failed", f"before it failed {HTML}", "ValueError", "it failed"):
        assert text in shown
    assert HTML not in page.text


def test_the_attributes_of_the_span_that_is_chosen_are_shown(running):
    kept = running.recent.traces.get(failed_trace(running))
    pages = [
        text_of(running.get(f"/console/traces/{kept.summary.trace_id}?span={span.span_id}")) for span in kept.spans
    ]

    assert "http.route" in pages[0]
    assert "http.route" not in pages[1]
    assert "looked" in pages[1]
    assert pages[1].count(HTML) >= 4


def test_a_trace_that_is_not_kept_says_since_when(running):
    page = running.get(f"/console/traces/{'0' * 32}")

    assert page.status_code == 404
    assert re.search(r"is not kept, or not any more\. The oldest trace that is kept began at \d{4}-.* UTC", page.text)
    assert "Back to the overview" in page.text


@pytest.mark.parametrize("trace_id", ["x", "0" * 31, "g" * 32, "%3Cscript%3E"])
def test_what_is_no_trace_id_is_told(trace_id, running):
    page = running.get(f"/console/traces/{trace_id}")

    assert page.status_code == 404
    assert "32 hexadecimal digits" in page.text


def test_a_great_trace_is_shown_in_part(running):
    [found] = running.recent.traces.search(name="great")

    page = running.get(f"/console/traces/{found.trace_id}")

    assert rows(page) == 150
    assert "The first 150 of 301" in page.text
    assert rows(running.get(f"/console/traces/{found.trace_id}?all=1")) == 301


def test_lines_are_listed(running):
    page = running.get("/console/logs")

    assert page.status_code == 200
    shown = re.sub(r"\s+", " ", text_of(page))
    for text in ("odd 100%", "it failed", "Traceback", f"before it failed {HTML}", "ozon", "shop"):
        assert text in shown
    assert HTML not in page.text
    assert "fine" not in shown
    assert failed_trace(running)[:12] in shown


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("level=ERROR", "it failed", "odd"),
        ("level=WARNING", "odd", "before it failed"),
        ("component=ozon", "odd", "it failed"),
        ("text=100%25", "odd", "it failed"),
        ("text=VALUEERROR", "it failed", "odd"),
        ("trace=0", "No line that is kept fits", "odd"),
        ("level=LOUD", "is none of INFO, WARNING, ERROR, CRITICAL: not used.", "No line"),
        ("before=1", "No line that is kept fits", "odd"),
        ("before=x", "is no whole number", "No line"),
    ],
)
def test_lines_are_filtered(query, there, not_there, running):
    page = running.get(f"/console/logs?{query}")

    assert page.status_code == 200
    shown = text_of(page)
    assert there in shown
    assert not_there not in shown.partition("All lines")[2]


@pytest.mark.parametrize(("query", "seconds"), [("", "2"), ("follow=0", "0"), ("before=9", "0"), ("level=ERROR", "2")])
def test_the_newest_lines_stay_live_unless_that_is_stopped(query, seconds, running):
    for headers in ({}, {"x-console-fragment": "1"}):
        page = running.get(f"/console/logs?{query}", headers=headers).text
        assert f'data-refresh="{seconds}"' in page


@pytest.mark.parametrize("path", ["/traces", "/logs", f"/traces/{'0' * 32}"])
def test_without_the_file_the_page_says_so(path, running, monkeypatch):
    def fail():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.recent.database, "reading", fail)

    page = running.get(f"/console{path}")

    assert page.status_code == 200
    assert "cannot be read now: No space left on device" in page.text
