"""JSON: a log record as one object on one line, with its trace, for programs that read logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import trace

# `color_message` is uvicorn's second copy of a message, for terminals.
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
            "message": record.getMessage(),
            "module": record.module,
            "function": record.funcName,
            "line": record.lineno,
            "exception": self._exception(record),
            **_trace(),
            **({"stack": record.stack_info} if record.stack_info else {}),
        }

    def _exception(self, record: logging.LogRecord) -> str | None:
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return record.exc_text or None


def _trace() -> dict[str, str | None]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {"trace_id": None, "span_id": None}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _NO_EXTRA}


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001  # what JSON can't hold raises half a dozen errors, and foreign code its own
        return json.dumps(_text(value), ensure_ascii=False)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything
        return f"<{type(value).__name__}>"
