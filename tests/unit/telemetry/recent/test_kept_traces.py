"""From spans and log lines to what is found again."""

import json
import logging
import sqlite3
import zlib
from contextlib import closing, suppress

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry.recent.keeping import pending_traces, recent_queue
from telemetry.recent.keeping.log_row import MAX_ERROR, MAX_MESSAGE
from telemetry.recent.keeping.span_codec import MAX_SPAN
from telemetry.recent.trace_tree import tree_of
from telemetry.redaction.policy import POLICY
from telemetry.sdk.trace_suppression import suppressed_context
from tests.support.forking import in_child

SECRET = "correct-horse-battery-staple"


def request(machine, route="/orders/{id}", status=200, **values):
    attributes = {"http.request.method": "GET", "http.route": route, "http.response.status_code": status}
    return machine.tracer.start_as_current_span(
        f"GET {route}", kind=SpanKind.SERVER, attributes=attributes, context=values.get("context")
    )


def test_a_request_is_found_with_its_tree(machine):
    with request(machine, status=503) as root:
        with machine.span("call", peer="wb") as call:
            call.add_event("retry", {"attempt": 2})
            with machine.span("inner"):
                pass
        with machine.span("query") as query:
            query.set_status(StatusCode.ERROR, "locked")
    machine.write()

    [found] = machine.traces.search(name="/orders/{id}")
    trace_id = trace.format_trace_id(root.get_span_context().trace_id)
    assert (found.trace_id, found.kind, found.method, found.status) == (trace_id, "request", "GET", "503")
    assert (found.failed, found.kept_as, found.spans) == (True, "failed", 4)
    kept = machine.traces.get(trace_id)
    assert [(span.name, span.depth) for span in kept.spans] == [
        ("GET /orders/{id}", 0),
        ("call", 1),
        ("inner", 2),
        ("query", 1),
    ]
    assert kept.spans[1].attributes == {"peer": "wb"}
    assert kept.spans[1].events[0].attributes == {"attempt": 2}
    assert (kept.spans[3].status, kept.spans[3].description) == ("error", "locked")
    assert kept.left_out == 0
    assert all(span.offset >= 0 and span.offset + span.seconds <= kept.seconds + 1e-6 for span in kept.spans)


@pytest.mark.parametrize(
    ("kind", "attributes", "status", "described"),
    [
        (
            SpanKind.SERVER,
            {"http.request.method": "GET", "http.response.status_code": 404},
            None,
            ("request", "404", 0),
        ),
        (
            SpanKind.SERVER,
            {"http.request.method": "GET", "http.response.status_code": 500},
            None,
            ("request", "500", 1),
        ),
        (SpanKind.SERVER, {"http.request.method": "GET"}, StatusCode.ERROR, ("request", "error", 1)),
        (SpanKind.INTERNAL, {"job.name": "sync", "job.status": "success"}, None, ("job", "success", 0)),
        (SpanKind.INTERNAL, {"job.name": "sync", "job.status": "failed"}, StatusCode.ERROR, ("job", "failed", 1)),
        (SpanKind.INTERNAL, {"job.name": "sync"}, None, ("job", "success", 0)),
        (SpanKind.INTERNAL, {}, StatusCode.ERROR, ("other", "error", 1)),
        (SpanKind.CONSUMER, {}, StatusCode.ERROR, ("other", "error", 1)),
        (SpanKind.SERVER, {}, StatusCode.ERROR, ("other", "error", 1)),
        (SpanKind.SERVER, {"http.request.method": "GET", "http.response.status_code": "x"}, None, ("request", "x", 0)),
    ],
)
def test_what_a_root_says_of_its_trace(kind, attributes, status, described, machine):
    with machine.tracer.start_as_current_span("root", kind=kind, attributes=attributes) as span:
        if status:
            span.set_status(Status(status))
    machine.write()

    [found] = machine.traces.search()
    assert (found.kind, found.status, found.failed) == described


def test_a_run_within_a_request_is_kept_as_a_run(machine):
    with (
        request(machine),
        machine.span("other"),
        machine.span("job sync", **{"job.name": "sync"}),
        machine.span("step"),
    ):
        pass

    assert machine.kept() == {"sync": "job"}
    [found] = machine.traces.search(kind="job")
    assert found.spans == 4
    assert [span.name for span in machine.traces.get(found.trace_id).spans] == [
        "GET /orders/{id}",
        "other",
        "job sync",
        "step",
    ]


def test_a_span_that_is_not_sampled_is_not_kept(machine):
    unsampled = SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(0))

    with request(machine, status=500, context=trace.set_span_in_context(NonRecordingSpan(unsampled))):
        machine.log.info("unsampled")

    assert machine.kept() == {}
    assert machine.messages() == []


def test_segments_of_one_trace_are_put_together(machine):
    """A caller's trace id, with two requests in it, of which the second one fails."""
    caller = SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(1))
    within = trace.set_span_in_context(NonRecordingSpan(caller))

    with request(machine, "/first", context=within):
        pass
    machine.write()
    with request(machine, "/second", status=500, context=within):
        pass
    machine.write()

    [found] = machine.traces.search()
    assert (found.name, found.failed, found.kept_as, found.spans) == ("/first", True, "failed", 2)
    assert [span.name for span in machine.traces.get(found.trace_id).spans] == ["GET /first", "GET /second"]


def test_a_request_names_its_trace_also_when_the_caller_is_here(machine):
    with machine.tracer.start_as_current_span("GET", kind=SpanKind.CLIENT) as caller:
        context_of_caller = caller.get_span_context()
        remote = SpanContext(context_of_caller.trace_id, context_of_caller.span_id, True, TraceFlags(1))
        with request(machine, status=500, context=trace.set_span_in_context(NonRecordingSpan(remote))):
            pass
    machine.write()

    [found] = machine.traces.search()
    assert (found.name, found.kind, found.failed, found.spans) == ("/orders/{id}", "request", True, 2)
    assert [span.depth for span in machine.traces.get(found.trace_id).spans] == [0, 1]


def test_spans_that_end_after_their_root_are_added(machine):
    with request(machine):
        late = machine.tracer.start_span("in the background")
    machine.write()
    late.end()
    machine.write()

    [found] = machine.traces.search()
    assert found.spans == 2
    assert [span.name for span in machine.traces.get(found.trace_id).spans][1] == "in the background"


def test_a_late_span_of_a_trace_that_was_removed_leaves_nothing(machine):
    with request(machine):
        late = machine.tracer.start_span("late")
    machine.write()
    with machine.database.writing() as connection:
        connection.execute("DELETE FROM traces")
    late.end()
    machine.write()

    with machine.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM trace_spans").fetchone() == (0,)


def test_of_a_great_trace_the_root_and_the_failures_are_kept(machine):
    with request(machine):
        for number in range(3000):
            with machine.span(f"step {number}") as span:
                if number >= 2990:
                    span.set_status(StatusCode.ERROR)
    machine.write()

    [found] = machine.traces.search()
    kept = machine.traces.get(found.trace_id)
    names = [span.name for span in kept.spans]
    assert len(names) == 450 + 10 + 1  # of any kind, those that failed, the root
    assert names[0] == "GET /orders/{id}"
    assert "step 2999" in names
    assert len(names) + kept.left_out == found.spans == 3001


def test_no_secret_reaches_the_disk(machine, tmp_path):
    POLICY.add_secrets({"OPS_TOKEN": SECRET})
    try:
        with (
            request(machine, f"/{SECRET}", status=500) as span,
            machine.span(f"name {SECRET}", a=SECRET, many=[SECRET, "x"], password="hunter2hunter2"),
            machine.provider.get_tracer(f"scope {SECRET}").start_as_current_span("of a scope"),
        ):
            span.add_event(f"event {SECRET}", {"x": SECRET})
            span.record_exception(RuntimeError(SECRET))
            span.set_status(StatusCode.ERROR, SECRET)
            machine.log.error("failed with %s", SECRET, extra={"component": SECRET})
        machine.write()
        machine.close()
    finally:
        POLICY.clear_secrets()

    [found] = machine.traces.search()
    read = repr((found, machine.traces.get(found.trace_id), machine.logs.search()))
    assert "OPS_TOKEN" in read
    for text in (SECRET, "hunter2hunter2"):
        assert text not in read
        assert all(text.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        "traces SET seconds = 'x'",
        "traces SET started = x'00'",
        "traces SET name = CAST(x'ff' AS TEXT)",
        "logs SET at = 'x'",
        "logs SET level = 'high'",
        "logs SET message = CAST(x'ff7b' AS TEXT)",
        "logs SET component = x'ff'",
        "sizes SET bytes = 'x'",
    ],
)
def test_values_that_nobody_has_written_are_damage_which_is_said_once(change, machine, caplog):
    def use():
        with request(machine, status=500):
            machine.log.error("failed")
        for look in (
            machine.write,
            machine.traces.search,
            machine.traces.oldest,
            machine.logs.search,
            machine.logs.oldest,
        ):
            with suppress(sqlite3.OperationalError):
                look()

    use()
    with closing(sqlite3.connect(machine.database.path)) as connection:
        connection.execute(f"UPDATE {change}")
        connection.commit()
    use()
    use()

    assert {each.name for each in machine.traces.search()} == {"/orders/{id}"}
    assert {line.message for line in machine.logs.search()} == {"failed"}
    assert caplog.text.count("recent.db is damaged") == 1


LONG = "слово " * 5_000


@pytest.mark.parametrize(
    "attributes",
    [{"text": LONG}, {f"name{number}": "x" * 500 for number in range(100)}, {"many": [LONG] * 10}, {LONG: "x"}],
)
def test_a_span_of_any_size_is_cut(attributes, machine):
    with machine.span(LONG, **attributes) as span:
        for _ in range(30):
            span.add_event("x", attributes)
        span.set_status(StatusCode.ERROR, LONG)
    machine.write()

    [found] = machine.traces.search()
    [kept] = machine.traces.get(found.trace_id).spans
    assert len(repr(kept)) < 2 * MAX_SPAN
    assert len(found.name) < 400
    assert kept.left_out or "left out" in str(kept.attributes)


@pytest.mark.parametrize("value", ["\ud800", "\x00", "a\nb", float("nan"), 2**70, True, [1, 2], ["\udfff"], b"\xff"])
def test_values_of_any_kind_are_kept(value, machine):
    with machine.span(f"of {value!r}"[:40], value=value, **{"job.name": "sync"}) as span:
        span.add_event("e", {"value": value})
    machine.log.warning("%s", value)
    machine.write()

    [found] = machine.traces.search()
    assert "value" in machine.traces.get(found.trace_id).spans[0].attributes
    assert len(machine.logs.search()) == 1


def test_lines_of_a_trace_that_failed_are_kept_and_others_not(machine):
    with request(machine, "/ok"):
        machine.log.info("fine")
        machine.log.warning("odd")
    with request(machine, "/bad", status=500) as failed:
        machine.log.debug("never")
        machine.log.info("before it failed")
    machine.log.info("outside")

    assert machine.messages() == ["odd", "before it failed"]
    trace_id = trace.format_trace_id(failed.get_span_context().trace_id)
    [line] = machine.logs.search(trace_id=trace_id)
    assert (line.level_name, line.logger, line.component) == ("INFO", "shop.orders", "shop")
    assert line.span_id == trace.format_span_id(failed.get_span_context().span_id)


def test_lines_of_a_run_that_failed_long_after_are_kept(machine):
    with machine.span("job sync", **{"job.name": "sync", "job.status": "failed"}):
        machine.log.info("begins")
        for _ in range(5):
            machine.write()
        machine.log.info("ends")

    assert machine.messages() == ["begins", "ends"]


def test_a_line_of_any_size_is_cut(machine):
    try:
        raise ValueError(LONG)
    except ValueError:
        machine.log.exception(LONG, extra={"component": LONG})
    machine.write()

    [line] = machine.logs.search()
    assert len(line.message) < MAX_MESSAGE + 100
    assert len(line.error) < MAX_ERROR + 200
    assert "ValueError" in line.error


def test_a_line_of_work_that_is_not_traced_has_no_trace(machine):
    token = context.attach(suppressed_context())
    machine.log.warning("in the background")
    context.detach(token)
    machine.write()

    assert [line.trace_id for line in machine.logs.search()] == [None]


@pytest.mark.parametrize(
    ("filters", "messages"),
    [
        ({}, ["d 100%", "c_c", "b", "a"]),
        ({"level": logging.ERROR}, ["d 100%", "b"]),
        ({"component": "ozon"}, ["c_c"]),
        ({"text": "100%"}, ["d 100%"]),
        ({"text": "C_C"}, ["c_c"]),
        ({"text": "%"}, ["d 100%"]),
        ({"text": "_"}, ["c_c"]),
        ({"text": "'; DROP TABLE logs"}, []),
        ({"before": 3}, ["b", "a"]),
        ({"limit": 1}, ["d 100%"]),
        ({"trace_id": "0" * 32}, []),
    ],
)
def test_lines_are_found_by_filters(filters, messages, machine):
    machine.log.warning("a")
    machine.log.error("b")
    machine.log.warning("c_c", extra={"component": "ozon"})
    machine.log.critical("d 100%")
    machine.write()

    assert [line.message for line in machine.logs.search(**filters)] == messages
    assert machine.logs.components() == ["ozon", "shop"]


def test_traces_are_found_by_filters(machine):
    for route, status in (("/a", 200), ("/b", 404), ("/c", 500)):
        with request(machine, route, status):
            pass
        machine.write()
    with machine.span("job x", **{"job.name": "x"}):
        pass
    machine.write()

    def names(**filters):
        return [each.name for each in machine.traces.search(**filters)]

    assert names() == ["x", "/c", "/b", "/a"]
    assert names(kind="request") == ["/c", "/b", "/a"]
    assert names(failed=True) == ["/c"]
    assert names(failed=False, status="404") == ["/b"]
    assert names(min_seconds=100) == []
    middle = machine.traces.search(name="/b")[0].started
    assert names(since=middle) == ["x", "/c", "/b"]
    assert names(before=middle) == ["/a"]
    assert names(limit=2) == ["x", "/c"]
    assert machine.traces.names() == ["/a", "/b", "/c", "x"]
    assert machine.traces.oldest() == machine.traces.search(name="/a")[0].started
    assert machine.traces.get("0" * 32) is None


def test_spans_that_are_each_others_parents_are_shown(machine):
    loop = [{"id": a, "parent": b, "name": a, "start": 1, "end": 2} for a, b in (("a", "b"), ("b", "a"), ("c", "c"))]
    tree = tree_of([zlib.compress(json.dumps({"spans": loop, "left_out": 0}).encode())])

    assert {span.name for span in tree.spans} == {"a", "b", "c"}


def test_a_full_queue_drops_and_counts(machine):
    for _ in range(recent_queue.CAPACITY + 10):
        machine.tracer.start_span("one").end()
    assert machine.writer.queue.size == recent_queue.CAPACITY
    assert machine.drops.numbers() == {("span", "full"): 10}
    machine.write()

    for _ in range(100):
        machine.log.warning("x" * 1_000_000)
    assert machine.writer.queue._bytes <= recent_queue.MAX_BYTES
    assert machine.drops.numbers()["log", "full"] > 10
    machine.write()
    assert machine.writer.queue._bytes == 0


def test_traces_without_an_end_are_given_up_and_failures_of_them_kept(machine, monkeypatch):
    monkeypatch.setattr(pending_traces, "MAX_PENDING", 10)
    roots = []
    for number in range(50):
        root = machine.tracer.start_span("never ends")
        roots.append(root)
        with trace.use_span(root), machine.span("child") as child:
            if number == 3:
                child.set_status(StatusCode.ERROR)
    machine.write()

    assert [(each.name, each.kept_as) for each in machine.traces.search()] == [("child", "failed")]
    assert machine.drops.numbers() == {("span", "unfinished"): 39}


def test_a_file_that_cannot_be_written_costs_a_line_of_log_and_what_came_meanwhile(machine, caplog, monkeypatch):
    monkeypatch.setattr("telemetry.recent.keeping.recent_writer.MAX_ROWS", 5)
    machine.write()
    machine.database.close()
    parent = machine.database.path.parent
    aside = parent.with_name("aside")
    parent.rename(aside)
    parent.write_text("a file in the way")

    for number in range(20):
        with request(machine, f"/{number}", status=500):
            pass
        machine.write()
    assert machine.drops.numbers() == {("trace", "unwritable"): 18}  # each sixth finds five in memory
    [warning] = caplog.records
    assert warning.getMessage().startswith("recent.db cannot be written (File exists): the console misses")

    parent.unlink()
    aside.rename(parent)
    with request(machine, "/again", status=500):
        pass
    assert "/again" in machine.kept()
    assert [each.name for each in machine.traces.search()] == ["/again", "/19", "/18"]


def test_a_short_outage_costs_nothing(machine):
    machine.write()
    with request(machine):
        pass
    other = sqlite3.connect(machine.database.path, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    machine.write()
    other.execute("ROLLBACK")
    other.close()

    assert machine.kept() == {"/orders/{id}": "sample"}
    assert machine.drops.numbers() == {}


def test_a_child_of_a_fork_keeps_its_own_alone(machine):
    with request(machine, "/parent", status=500):
        pass

    def in_it():
        with request(machine, "/child", status=500):
            pass
        return machine.kept()

    assert in_child(in_it) == {"/child": "failed"}
    assert machine.kept() == {"/child": "failed", "/parent": "failed"}


def test_the_end_writes_what_is_queued(machine):
    with request(machine, status=500), machine.span("inner"):
        pass
    with trace.use_span(machine.tracer.start_span("unfinished")), machine.span("failed one") as span:
        span.set_status(StatusCode.ERROR)

    assert machine.writer.shutdown(5)

    assert {each.name for each in machine.traces.search()} == {"/orders/{id}", "failed one"}
    machine.log.warning("too late")
    assert machine.writer.queue.size == 0


def test_links_are_kept(machine):
    linked = Link(SpanContext(255, 1, is_remote=True))
    with machine.tracer.start_as_current_span("x", attributes={"job.name": "sync"}, links=[linked]):
        pass
    machine.write()

    [found] = machine.traces.search()
    assert machine.traces.get(found.trace_id).spans[0].links == (f"{255:032x}",)
