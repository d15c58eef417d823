"""JSON: a log record as one object on one line, with its trace, for programs that read logs."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import trace

from telemetry.logs.request_id import request_id
from telemetry.logs.text_formatter import traceback_of
from telemetry.redaction.policy import redact, redact_value

# `color_message` is uvicorn's second copy of a message, for terminals.
# JSON lets them stand, but a terminal takes them for commands, and some readers of lines for the end of one.
_UNPRINTED: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NO_EXTRA: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """What was passed by `extra=` goes in under its name, as text where JSON can't hold it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self._fields(record)
        fields |= {name: value for name, value in _extra(record).items() if name not in fields}
        return "{" + ", ".join(f"{_dumps(name)}: {_dumps(value)}" for name, value in fields.items()) + "}"

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        return {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "module": record.module,
            "function": record.funcName,
            "line": record.lineno,
            "exception": redact(traceback_of(record)) or None,
            **_trace(),
            **({"request_id": request} if (request := request_id.get()) else {}),
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
    return {name: redact_value(value, name) for name, value in vars(record).items() if name not in _NO_EXTRA}


def _dumps(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001  # what JSON can't hold raises half a dozen errors, and foreign code its own
        text = json.dumps(redact(_text(value)), ensure_ascii=False)
    return text if text.isprintable() else _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything
        return f"<{type(value).__name__}>"
