"""Adds to a log record the attributes of its alert. The fingerprint among them decides what is a repeat of what."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_TYPE
from opentelemetry.trace import Span, SpanContext

from telemetry import semconv
from telemetry.logs.database_errors import is_database_unavailable
from telemetry.logs.exception_chain import error_type
from telemetry.logs.record_origin import origin_in_caller, origin_of
from telemetry.redaction.policy import redact_value

InJob: TypeAlias = Callable[[SpanContext], bool]
"""Whether a span is that of a job, or inside one."""


def with_alert_attributes(record: logging.LogRecord, in_job: InJob) -> logging.LogRecord:
    """A copy of the record with its location, fingerprint and probable cause. Other handlers do not see the attributes."""
    copy = logging.makeLogRecord(vars(record))
    attributes, error = vars(copy), record.exc_info[1] if record.exc_info else None
    origin = origin_in_caller.get() or origin_of(record)
    attributes[semconv.ALERT_LOCATION] = origin.location
    if origin.is_reported_elsewhere:
        attributes[semconv.ALERT_REPORTED_ELSEWHERE] = True
    if error is not None and is_database_unavailable(error):
        attributes[semconv.ALERT_INHIBITED_BY] = semconv.DATABASE_COMPONENT
    attributes[semconv.ALERT_FINGERPRINT] = fingerprint_of(
        attributes, record.name, (_error_type(record), origin.identity), trace.get_current_span(), in_job
    )
    return copy


def fingerprint_of(
    attributes: Mapping[str, Any], logger: str, details: tuple[str, ...], span: Span, in_job: InJob
) -> str:
    """The identity of an alert: alerts with the same fingerprint are repeats of each other.

    It is the one in the attributes, else that of the condition. An event has that of its component, details (the type of its
    exception first), location in the code, and route, job or span of a job.
    """
    if given := text_attribute(attributes, semconv.ALERT_FINGERPRINT):
        return str(redact_value(given))
    if state := text_attribute(attributes, semconv.ALERT_CONDITION):
        return _hash("state", state)
    location, activity = text_attribute(attributes, semconv.ALERT_LOCATION), _activity(attributes, span, in_job)
    return _hash(component_of(attributes, logger), *details, location, activity)


def component_of(attributes: Mapping[str, Any], logger: str) -> str:
    """The component that the record names, else the top package of its logger."""
    return text_attribute(attributes, semconv.COMPONENT) or logger.partition(".")[0]


def text_attribute(attributes: Mapping[str, Any], name: str) -> str:
    """The attribute; empty if there is none, or if it is no text."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _error_type(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return text_attribute(vars(record), EXCEPTION_TYPE) if error is None else error_type(error)


def _activity(attributes: Mapping[str, Any], span: Span, in_job: InJob) -> str:
    """What does not depend on sampling: a route, a job, or a span inside a job. Other spans are not always recorded."""
    if name := text_attribute(attributes, semconv.HTTP_ROUTE) or text_attribute(attributes, semconv.JOB_NAME):
        return name
    return span.name if isinstance(span, ReadableSpan) and in_job(span.get_span_context()) else ""


@lru_cache(maxsize=2048)
def _hash(*parts: str) -> str:
    return hashlib.sha1("\x1f".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]
