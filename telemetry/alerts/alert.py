"""An alert as a value, made from a log record: something that the operator has to know."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)

from telemetry import semconv
from telemetry.compatibility.unstable_api import ReadableLogRecord, SeverityNumber
from telemetry.environment.runbook import section_of_logger
from telemetry.logs.alert_attributes import InJob, component_of, fingerprint_of, text_attribute
from telemetry.redaction.policy import redact, redact_value
from telemetry.redaction.shortening import beginning, beginning_and_end
from telemetry.sdk.trace_suppression import is_suppressed

MAX_TEXT_LENGTH: Final = 1024 * 1024
"""Characters. Of a longer text the beginning and the end are kept."""
MAX_KEPT_LENGTH: Final = 8 * 1024
"""Characters of an alert that is kept in memory for long."""
_MAX_SECTION: Final = 100


class AlertLevel(StrEnum):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def emoji(self) -> str:
        return _EMOJI[self]

    @property
    def severity(self) -> int:
        """The level of `logging` to compare by: a higher one is more severe."""
        return logging.getLevelNamesMapping()[self]


_EMOJI: Final = {
    AlertLevel.INFO: "ℹ️",
    AlertLevel.WARNING: "⚠️",
    AlertLevel.ERROR: "❌",
    AlertLevel.CRITICAL: "🚨",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Alerts with the same `fingerprint` are repeats of each other.

    Attributes:
        at: Unix time.
        state: key of the condition that the alert is about; empty for an event. A condition lasts until an alert with the
            same key `is_resolved`.
        inhibited_by: key of the condition that may be the cause.
        section: of the runbook; empty for that of any error.
        facts: names and values, each a line of the notification.
    """

    fingerprint: str
    level: AlertLevel
    component: str
    summary: str
    at: float
    error: str = ""
    location: str = ""
    stack: str = ""
    state: str = ""
    is_resolved: bool = False
    inhibited_by: str = ""
    section: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    trace_id: str = ""
    span_id: str = ""
    is_sampled: bool = False

    @property
    def size(self) -> int:
        """About how many characters it has."""
        facts = sum(len(name) + len(value) for name, value in self.facts.items())
        return len(self.summary) + len(self.error) + len(self.location) + len(self.stack) + len(self.component) + facts

    def shortened(self) -> Self:
        """Itself if it is short; else what a notification shows of it."""
        if self.size <= MAX_KEPT_LENGTH:
            return self
        return replace(
            self,
            component=beginning(self.component, 100),
            summary=beginning_and_end(self.summary, 1000),
            error=beginning_and_end(self.error, 1000),
            location=beginning(self.location, 1000),
            stack="",
            facts={beginning(name, 50): beginning(value, 100) for name, value in list(self.facts.items())[:20]},
        )

    @classmethod
    def from_log_record(cls, readable: ReadableLogRecord, key: "AlertKey") -> Self:
        record, attributes = readable.log_record, readable.log_record.attributes or {}
        trace_id, span_id, is_sampled = _trace(record.context, text_attribute(attributes, semconv.ALERT_RUN_ID))
        return cls(
            fingerprint=key.fingerprint,
            level=key.level,
            component=redact_value(component_of(attributes, _logger(readable))),
            summary=_displayed(str(record.body)),
            at=key.at,
            error=_error(text_attribute(attributes, EXCEPTION_TYPE), text_attribute(attributes, EXCEPTION_MESSAGE)),
            location=_displayed(text_attribute(attributes, semconv.ALERT_LOCATION)),
            stack=_displayed(text_attribute(attributes, EXCEPTION_STACKTRACE)),
            state=key.state,
            is_resolved=bool(attributes.get(semconv.ALERT_RESOLVED)),
            inhibited_by=redact_value(text_attribute(attributes, semconv.ALERT_INHIBITED_BY)),
            section=_section(readable),
            facts=_facts(attributes.get(semconv.ALERT_FACTS)),
            trace_id=trace_id,
            span_id=span_id,
            is_sampled=is_sampled,
        )


@dataclass(frozen=True, slots=True)
class AlertKey:
    """The part of an alert that a repeat needs: see `Alert`."""

    fingerprint: str
    level: AlertLevel
    state: str
    at: float

    @classmethod
    def from_log_record(cls, readable: ReadableLogRecord, in_job: InJob) -> Self | None:
        """None for a record that is no alert: below ERROR without a level of its own, or reported elsewhere."""
        record, attributes = readable.log_record, readable.log_record.attributes or {}
        level = _level(record.severity_number, attributes.get(semconv.ALERT_LEVEL))
        if level is None or semconv.ALERT_REPORTED_ELSEWHERE in attributes:
            return None
        return cls(
            fingerprint=redact_value(text_attribute(attributes, semconv.ALERT_FINGERPRINT))
            or _fingerprint(readable, in_job),
            level=level,
            state=redact_value(text_attribute(attributes, semconv.ALERT_CONDITION)),
            at=(record.timestamp or record.observed_timestamp or 0) / 1e9,
        )


def _fingerprint(readable: ReadableLogRecord, in_job: InJob) -> str:
    """Of a record that was not made by `logging`: the others have got theirs from the handler."""
    record, attributes = readable.log_record, readable.log_record.attributes or {}
    details, span = (text_attribute(attributes, EXCEPTION_TYPE), ""), trace.get_current_span(record.context)
    return fingerprint_of(attributes, _logger(readable), details, span, in_job)


def _logger(readable: ReadableLogRecord) -> str:
    return readable.instrumentation_scope.name if readable.instrumentation_scope else semconv.OTHER


def _section(readable: ReadableLogRecord) -> str:
    given = redact_value(text_attribute(readable.log_record.attributes or {}, semconv.ALERT_SECTION))
    return given if 0 < len(given) <= _MAX_SECTION else section_of_logger(_logger(readable))


def serialize_facts(facts: Mapping[str, str]) -> str:
    """Facts as an attribute of a log record: JSON, because not every receiver takes mappings."""
    return json.dumps(dict(facts), ensure_ascii=False)


def _level(severity_number: SeverityNumber | None, given: object) -> AlertLevel | None:
    if isinstance(given, str) and given in _LEVELS:
        return _LEVELS[given]
    number = severity_number.value if severity_number is not None else 0
    if number >= SeverityNumber.FATAL.value:
        return AlertLevel.CRITICAL
    return AlertLevel.ERROR if number >= SeverityNumber.ERROR.value else None


_LEVELS: Final = {str(level): level for level in AlertLevel}


def _trace(context: Context | None, run_id: str) -> tuple[str, str, bool]:
    """Trace id, span id and sampling: of the job run that the alert is about, else of where it was logged.

    The ids are empty where tracing is suppressed: such a trace is exported nowhere.
    """
    if len(run_id) == _RUN_ID_DIGITS:
        return run_id[:_TRACE_ID_DIGITS], run_id[_TRACE_ID_DIGITS:], True
    span_context = trace.get_current_span(context).get_span_context()
    if not span_context.is_valid or is_suppressed(context):
        return "", "", False
    trace_id, span_id = trace.format_trace_id(span_context.trace_id), trace.format_span_id(span_context.span_id)
    return trace_id, span_id, span_context.trace_flags.sampled


_RUN_ID_DIGITS: Final = 48  # hexadecimal, of a trace id and a span id
_TRACE_ID_DIGITS: Final = 32


def _error(error_type: str, message: str) -> str:
    return _displayed(f"{error_type}: {message}" if message else error_type)


def _displayed(text: str) -> str:
    return _truncated(redact(text))


def _truncated(text: str) -> str:
    if len(text) <= MAX_TEXT_LENGTH:
        return text
    half = MAX_TEXT_LENGTH // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def _facts(attribute: object) -> Mapping[str, str]:
    try:
        facts = json.loads(attribute) if isinstance(attribute, str) else {}
    except ValueError:
        return {}
    return (
        {redact(str(name)): redact_value(str(value), str(name)) for name, value in facts.items()}
        if isinstance(facts, dict)
        else {}
    )
