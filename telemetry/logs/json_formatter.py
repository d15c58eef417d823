"""Formats a log record as one JSON object on one line, with its trace id."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import trace

from telemetry.logs.request_id import request_id
from telemetry.logs.text_formatter import UNPRINTABLE, formatted_traceback
from telemetry.redaction.policy import redact, redact_value

# JSON allows these characters, but terminals obey them, and some readers take them for the end of a line.
_ESCAPES: Final = {code: f"\\u{code:04x}" for code in UNPRINTABLE if code >= 0x7F}  # noqa: PLR2004  # json escapes the others
# `color_message` is uvicorn's second copy of a message, for terminals.
_NO_EXTRA: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """Fields of `extra=` keep their names. A value that JSON cannot represent becomes text."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self._fields(record)
        fields |= {name: value for name, value in _extra(record).items() if name not in fields}
        return "{" + ", ".join(f"{_dumps(name)}: {_dumps(value)}" for name, value in fields.items()) + "}"

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        return {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": redact_value(record.levelname),
            "logger": redact_value(record.name),
            "message": redact(record.getMessage()),
            "module": redact_value(record.module),
            "function": redact_value(record.funcName),
            "line": record.lineno,
            "exception": redact(formatted_traceback(record)) or None,
            **_trace(),
            **({"request_id": redact_value(request)} if (request := request_id.get()) else {}),
            **({"stack": redact(record.stack_info)} if record.stack_info else {}),
        }


def _trace() -> dict[str, str | None]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {"trace_id": None, "span_id": None}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _NO_EXTRA}
    return {redact_value(name): redact_value(value, name) for name, value in extra.items()}


def _dumps(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001  # json raises several types, and foreign code any
        text = json.dumps(redact(_text(value)), ensure_ascii=False)
    return text if text.isprintable() else text.translate(_ESCAPES)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything
        return f"<{type(value).__name__}>"
