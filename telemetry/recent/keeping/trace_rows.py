"""The rows of traces: each segment adds to what other processes, or earlier segments, have written of its trace."""

import sqlite3
from typing import Any, Final, NamedTuple

from opentelemetry.trace import format_trace_id

from telemetry.json_safe import to_text
from telemetry.recent.keeping.pending_traces import TraceSegment
from telemetry.recent.keeping.span_codec import MAX_NAME, encode
from telemetry.recent.keeping.trace_root import TraceRoot, seconds_of
from telemetry.recent.schema import KEPT_AS
from telemetry.redaction.policy import redact_value
from telemetry.redaction.shortening import beginning

_KIND: Final = "CASE {table}.kind WHEN 'job' THEN 2 WHEN 'request' THEN 1 ELSE 0 END"
_IS_OUTER: Final = (
    f"({_KIND.format(table='excluded')}, -excluded.started) >= ({_KIND.format(table='traces')}, -traces.started)"
)
"""A run names its trace, else a request does; of two runs or two requests, the one around the other."""
_OF_OUTER: Final = ", ".join(
    f"{column} = CASE WHEN {_IS_OUTER} THEN excluded.{column} ELSE traces.{column} END"
    for column in ("kind", "name", "method", "status")
)
_RANK: Final = " ".join(f"WHEN '{kept_as}' THEN {rank}" for rank, kept_as in enumerate(KEPT_AS))
_ADD: Final = f"""
INSERT INTO traces (trace_id, kind, name, method, status, failed, started, seconds, spans, bytes, kept_as)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id) DO UPDATE SET
    {_OF_OUTER},
    failed = max(failed, excluded.failed),
    seconds = max(started + seconds, excluded.started + excluded.seconds) - min(started, excluded.started),
    started = min(started, excluded.started),
    spans = spans + excluded.spans,
    bytes = bytes + excluded.bytes,
    kept_as = CASE WHEN CASE excluded.kept_as {_RANK} END < CASE kept_as {_RANK} END
        THEN excluded.kept_as ELSE kept_as END
"""  # noqa: S608  # words of ours
_ADD_LATE: Final = "UPDATE traces SET spans = spans + ?, bytes = bytes + ? WHERE trace_id = ?"
_ADD_PART: Final = """
INSERT INTO trace_spans (trace_id, part, body)
SELECT ?, (SELECT coalesce(max(part) + 1, 0) FROM trace_spans WHERE trace_id = ?), ?
"""


class TraceRows(NamedTuple):
    """`columns` are those of the trace after its id; None for a part that came later than its root."""

    trace_id: str
    columns: tuple[Any, ...] | None
    spans: int
    body: bytes


def rows_of(segment: TraceSegment) -> TraceRows:
    """Encode a segment. This is what keeping a trace costs."""
    spans = len(segment.spans)
    body = encode(segment.spans, segment.left_out)
    columns = None
    if segment.root is not None and segment.root_span is not None:
        span = segment.root_span
        timing = ((span.start_time or 0) / 1e9, seconds_of(span))
        columns = (*_described(segment.root), *timing, spans + segment.left_out, len(body), segment.kept_as)
    return TraceRows(format_trace_id(segment.trace_id), columns, spans + segment.left_out, body)


def _described(root: TraceRoot) -> tuple[str, str, str, str, int]:
    texts = (to_text(redact_value(beginning(each, MAX_NAME))) for each in root[1:4])
    name, method, status = texts
    return root.kind, name, method, status, int(root.failed)


def write(connection: sqlite3.Connection, rows: TraceRows) -> None:
    """Add to the trace; a late part only if the trace is still there."""
    if rows.columns is not None:
        connection.execute(_ADD, (rows.trace_id, *rows.columns))
    elif not connection.execute(_ADD_LATE, (rows.spans, len(rows.body), rows.trace_id)).rowcount:
        return
    connection.execute(_ADD_PART, (rows.trace_id, rows.trace_id, rows.body))
