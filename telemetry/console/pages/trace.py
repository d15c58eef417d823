"""One trace: its waterfall, the attributes and events of a span, and the log lines beside it."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from telemetry import semconv
from telemetry.console.page_definition import PageNotFound
from telemetry.console.pages.traces import REASONS, colour
from telemetry.console.parts import Part, read_part
from telemetry.console.plots import waterfall
from telemetry.console.view import View
from telemetry.recent.log_queries import LogLine
from telemetry.recent.trace_queries import Trace
from telemetry.recent.trace_tree import TraceSpan

MAX_ROWS: Final = 150
MAX_LINES: Final = 200
_MAX_DEPTH: Final = 12
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_DETAIL: Final = 120
_DETAILS: Final = (semconv.DB_QUERY_TEXT, semconv.DB_QUERY_SUMMARY, semconv.URL_FULL, semconv.PEER_SERVICE)
_OF_KIND: Final = {"server": "c1", "client": "c3", "producer": "c5", "consumer": "c5"}


def read(view: View) -> dict[str, Any]:
    trace_id = str(view.params["trace_id"]).lower()
    if not _TRACE_ID.fullmatch(trace_id):
        raise PageNotFound("This is no trace id: it has 32 hexadecimal digits.")
    found: Part[Trace | None] = read_part("The trace", lambda: _find(view, trace_id), None)
    lines: Part[list[LogLine]] = read_part("Log lines", lambda: _lines(view, trace_id), [])
    trace = found.value
    if trace is not None:
        view.heading = f"{trace.summary.method} {trace.summary.name}".strip()
    return {"found": found, "trace": trace, "trace_id": trace_id, "lines": lines, **_shown(view, trace)}


def _find(view: View, trace_id: str) -> Trace:
    queries = view.telemetry.recent.traces
    if (trace := queries.get(trace_id)) is None:
        raise PageNotFound(_not_kept(trace_id, queries.oldest()))
    return trace


def _not_kept(trace_id: str, oldest: float | None) -> str:
    if oldest is None:
        return f"The trace {trace_id} is not kept. No trace is kept yet."
    since = f"{datetime.fromtimestamp(oldest, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"The trace {trace_id} is not kept, or not any more. The oldest trace that is kept began at {since}. "
        "Traces that failed or were slow are kept, each job run, and a sample of the rest."
    )


def _lines(view: View, trace_id: str) -> list[LogLine]:
    """The oldest first."""
    return view.telemetry.recent.logs.search(trace_id=trace_id, limit=MAX_LINES)[::-1]


def _shown(view: View, trace: Trace | None) -> dict[str, Any]:
    spans = trace.spans if trace else ()
    is_whole = len(spans) <= MAX_ROWS or view.flag("all")
    return {
        "rows": spans if is_whole else spans[:MAX_ROWS],
        "chosen": _chosen(view, spans),
        "processes": sorted({span.process for span in spans}),
        "indent": lambda span: min(span.depth, _MAX_DEPTH),
        "detail": _detail,
        "bar": lambda span: _bar(span, trace.seconds if trace else 0.0),
        "colour": colour,
        "reasons": REASONS,
    }


def _detail(span: TraceSpan) -> str:
    """What tells the span apart from others of its name; empty if its name says it."""
    found = next((str(span.attributes[name]) for name in _DETAILS if span.attributes.get(name)), "")
    return "" if found in span.name else found[:_MAX_DETAIL]


def _chosen(view: View, spans: tuple[TraceSpan, ...]) -> TraceSpan | None:
    """The span whose attributes are shown: the one that is asked for, else the innermost failure, else the first."""
    wanted = view.text("span")
    if found := next((span for span in spans if span.span_id == wanted), None):
        return found
    if wanted and spans:
        view.notes["span"] = f"This trace has no span {wanted!r}: not used."
    failed = [span for span in spans if span.status == "error"]
    return max(failed, key=lambda span: span.depth) if failed else next(iter(spans), None)


def _bar(span: TraceSpan, total: float) -> Any:
    shade = "bad" if span.status == "error" else "c4" if semconv.DB_SYSTEM in span.attributes else ""
    marks = [event.offset for event in span.events]
    return waterfall.draw(span.offset, span.seconds, total, shade or _OF_KIND.get(span.kind, "c2"), marks)
