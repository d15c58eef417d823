"""The row of a log line: without secrets, and cut to what is kept."""

from typing import Final, NamedTuple

from opentelemetry.trace import format_span_id, format_trace_id

from telemetry.json_safe import to_text
from telemetry.logs.alert_attributes import component_of
from telemetry.logs.text_formatter import formatted_traceback
from telemetry.recent.keeping.recent_queue import LoggedRecord
from telemetry.redaction.policy import redact, redact_value
from telemetry.redaction.shortening import beginning, beginning_and_end

MAX_MESSAGE: Final = 2000
MAX_ERROR: Final = 1800
_MAX_NAME: Final = 100
INSERT: Final = """
INSERT INTO logs (at, level, logger, component, message, error, trace_id, span_id, bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class LogRow(NamedTuple):
    """In the order of `INSERT`. `error` is the traceback or the stack, if there is one."""

    at: float
    level: int
    logger: str
    component: str
    message: str
    error: str | None
    trace_id: str | None
    span_id: str | None
    bytes: int


def row_of(line: LoggedRecord) -> LogRow:
    record = line.record
    message = to_text(redact(beginning(record.getMessage(), MAX_MESSAGE)))
    error = (
        to_text(redact(beginning_and_end(formatted_traceback(record) or record.stack_info or "", MAX_ERROR))) or None
    )
    return LogRow(
        record.created,
        record.levelno,
        _name(record.name),
        _name(component_of(vars(record), record.name)),
        message,
        error,
        format_trace_id(line.trace_id) if line.trace_id else None,
        format_span_id(line.span_id) if line.trace_id else None,
        len(message.encode()) + len((error or "").encode()),
    )


def _name(name: str) -> str:
    return to_text(redact_value(beginning(name, _MAX_NAME)))
