"""Alert: one report of something that the operator has to know, as a value, made from a log record at the door."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import SpanContext

from telemetry import semconv
from telemetry.redaction.policy import redact
from telemetry.sdk.trace_suppression import is_suppressed

MAX_TEXT_LENGTH: Final = 1024 * 1024
"""Characters of a text that are kept: of a longer one the beginning and the end."""


class AlertLevel(StrEnum):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def mark(self) -> str:
        return _MARKS[self]

    @property
    def gravity(self) -> int:
        return list(AlertLevel).index(self)


_MARKS: Final = {
    AlertLevel.INFO: "ℹ️",
    AlertLevel.WARNING: "⚠️",
    AlertLevel.ERROR: "❌",
    AlertLevel.CRITICAL: "🚨",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`at` is Unix time. What has a `state` lasts, until a report of the same state that `is_end`.

    `fingerprint` says what it is a repeat of. `follows` names the state that may be its cause. `facts` are lines of a message.
    """

    fingerprint: str
    level: AlertLevel
    component: str
    words: str
    at: float
    error: str = ""
    place: str = ""
    stack: str = ""
    state: str = ""
    is_end: bool = False
    follows: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    trace_id: str = ""
    span_id: str = ""
    is_sampled: bool = False

    @classmethod
    def from_log_record(cls, readable: ReadableLogRecord, source: "AlertKey") -> Self:
        record, attributes = readable.log_record, readable.log_record.attributes or {}
        trace_id, span_id, is_sampled = _trace(record.context, _text(attributes, semconv.ALERT_RUN_ID))
        return cls(
            fingerprint=source.fingerprint,
            level=source.level,
            component=source.component,
            words=_shown(str(record.body)),
            at=source.at,
            error=_error(_text(attributes, EXCEPTION_TYPE), _text(attributes, EXCEPTION_MESSAGE)),
            place=_text(attributes, semconv.ALERT_LOCATION),
            stack=_shown(_text(attributes, EXCEPTION_STACKTRACE)),
            state=source.state,
            is_end=bool(attributes.get(semconv.ALERT_RESOLVED)),
            follows=_text(attributes, semconv.ALERT_INHIBITED_BY),
            facts=_facts(attributes.get(semconv.ALERT_FACTS)),
            trace_id=trace_id,
            span_id=span_id,
            is_sampled=is_sampled,
        )


@dataclass(frozen=True, slots=True)
class AlertKey:
    """Where a report comes from, which is all that a repeat needs: see `Alert`."""

    fingerprint: str
    level: AlertLevel
    component: str
    state: str
    at: float

    @classmethod
    def of(cls, readable: ReadableLogRecord, in_job: Callable[[SpanContext], bool]) -> Self | None:
        """None for a record that is no alert: one below ERROR that does not say so itself, or one that is told elsewhere."""
        record, attributes = readable.log_record, readable.log_record.attributes or {}
        level = _level(record.severity_number, attributes.get(semconv.ALERT_LEVEL))
        if level is None or semconv.ALERT_REPORTED_ELSEWHERE in attributes:
            return None
        scope = readable.instrumentation_scope
        component = _text(attributes, semconv.COMPONENT) or (scope.name if scope else semconv.OTHER).partition(".")[0]
        state = _text(attributes, semconv.ALERT_CONDITION)
        return cls(
            fingerprint=_text(attributes, semconv.ALERT_FINGERPRINT)
            or (_fingerprint("state", state) if state else _alert_key(record, component, in_job)),
            level=level,
            component=component,
            state=state,
            at=(record.timestamp or record.observed_timestamp or 0) / 1e9,
        )


def _alert_key(record: LogRecord, component: str, in_job: Callable[[SpanContext], bool]) -> str:
    attributes = record.attributes or {}
    error_type, place = _text(attributes, EXCEPTION_TYPE), _text(attributes, semconv.ALERT_LOCATION)
    return _fingerprint(component, error_type, place, _span_name(attributes, record.context, in_job))


def facts_attribute(facts: Mapping[str, str]) -> str:
    """As an attribute of a log record, which are no mappings everywhere."""
    return json.dumps(dict(facts), ensure_ascii=False)


def _level(severity: SeverityNumber | None, given: object) -> AlertLevel | None:
    if isinstance(given, str) and given in _LEVELS:
        return _LEVELS[given]
    number = severity.value if severity is not None else 0
    if number >= SeverityNumber.FATAL.value:
        return AlertLevel.CRITICAL
    return AlertLevel.ERROR if number >= SeverityNumber.ERROR.value else None


_LEVELS: Final = {str(level): level for level in AlertLevel}


def _span_name(attributes: Mapping[str, Any], context: Context | None, in_job: Callable[[SpanContext], bool]) -> str:
    """What is the same at any sampling: a route, a job, or a span inside a job; other spans are not always there."""
    if known := _text(attributes, semconv.HTTP_ROUTE) or _text(attributes, semconv.JOB_NAME):
        return known
    span = trace.get_current_span(context)
    return span.name if isinstance(span, ReadableSpan) and in_job(span.get_span_context()) else ""


def _trace(context: Context | None, run_id: str) -> tuple[str, str, bool]:
    """Of the job run that it is about, else of where it was logged: nobody finds the trace of what is not traced."""
    if len(run_id) == _RUN_ID:
        return run_id[:_TRACE_ID], run_id[_TRACE_ID:], True
    found = trace.get_current_span(context).get_span_context()
    if not found.is_valid or is_suppressed(context):
        return "", "", False
    return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id), found.trace_flags.sampled


_RUN_ID, _TRACE_ID = 48, 32  # hexadecimal digits: of a trace and a span, and of the trace alone


@lru_cache(maxsize=2048)
def _fingerprint(*parts: str) -> str:
    return hashlib.sha1("\x1f".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _error(error_type: str, message: str) -> str:
    return _shown(f"{error_type}: {message}" if message else error_type)


def _shown(text: str) -> str:
    return _cut(redact(text))


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_LENGTH:
        return text
    half = MAX_TEXT_LENGTH // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def _facts(attribute: object) -> Mapping[str, str]:
    try:
        found = json.loads(attribute) if isinstance(attribute, str) else {}
    except ValueError:
        return {}
    return {str(name): redact(str(value)) for name, value in found.items()} if isinstance(found, dict) else {}
