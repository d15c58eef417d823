"""`JobRun`: the value that a span with the attribute `job.name` is turned into, by pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final, Self

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode, format_span_id, format_trace_id
from opentelemetry.util.types import AttributeValue

from telemetry import semconv
from telemetry.jobs.metadata import MARK, from_attribute
from telemetry.jobs.outcome import MAX_ERROR_LENGTH, status_of
from telemetry.jobs.run_profile import EMPTY_PROFILE, RunProfile
from telemetry.json_safe import Json, to_text, without_surrogates
from telemetry.redaction.policy import redact

MAX_NAME_LENGTH: Final = 100
MAX_WORKER_LENGTH: Final = 255
MAX_CHILD_LENGTH: Final = 255
_MAX_RUNTIME_SECONDS: Final = 10 * 366 * 86_400  # ten years; a longer `job.max_runtime_seconds` is ignored
_SHORT_ERROR_LENGTH: Final = 100
SPAN_NAME: Final = "job "  # followed by the name of the job
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOMES_BY_STATUS: Final = {
    semconv.STATUS_SUCCESS: semconv.OUTCOME_SUCCESS,
    semconv.STATUS_FAILED: semconv.OUTCOME_ERROR,
}


class UnwritableRunError(Exception):
    """The database is healthy, but rejects the values of a run. Retrying the batch does not help; leaving that run out does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A run that has started or ended. `run_id` is the trace id (32 hexadecimal digits) followed by the span id (16)."""

    run_id: str
    job_name: str
    status: str
    started_at: datetime
    trace_id: str
    span_id: str
    worker: str
    heartbeat_at: datetime
    outcome: str | None = None
    finished_at: datetime | None = None
    duration_seconds: float | None = None
    error_message: str | None = None
    metadata: dict[str, Json] = field(default_factory=dict)
    scheduled_for: datetime | None = None
    deadline_at: datetime | None = None
    overdue_at: datetime | None = None
    slowest_child: str | None = None
    slowest_child_seconds: float | None = None
    first_error: str | None = None
    overdue_stack: str | None = None
    cpu_seconds: float | None = None
    cost_usd: float | None = None

    @classmethod
    def from_started_span(cls, span: ReadableSpan, worker: str) -> Self | None:
        """The running run of a span that has started; None if the span is not a job."""
        context, attributes = span.get_span_context(), span.attributes
        name = attributes.get(semconv.JOB_NAME) if attributes else None
        if name is None or context is None:
            return None
        trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
        started_at = _timestamp(span.start_time)
        return cls(
            run_id=run_id_of(context),
            job_name=_job_name(to_text(name), span.name),
            status=semconv.STATUS_RUNNING,
            started_at=started_at,
            trace_id=trace_id,
            span_id=span_id,
            worker=without_surrogates(worker)[:MAX_WORKER_LENGTH],
            heartbeat_at=started_at,
            metadata=from_attribute(_attribute(span, semconv.JOB_METADATA)),
            scheduled_for=_parsed_timestamp(_attribute(span, semconv.JOB_SCHEDULED_FOR)),
            deadline_at=_deadline(started_at, _attribute(span, semconv.JOB_MAX_RUNTIME)),
        )

    @classmethod
    def from_span(cls, span: ReadableSpan, worker: str, profile: RunProfile = EMPTY_PROFILE) -> Self | None:
        """The finished run of a span that has ended; None if the span is not a job."""
        run = cls.from_started_span(span, worker)
        if run is None:
            return None
        outcome, finished_at = _outcome(span), max(run.started_at, _timestamp(span.end_time))
        return replace(
            run,
            status=(status := status_of(outcome)),
            outcome=outcome,
            finished_at=finished_at,
            heartbeat_at=finished_at,
            duration_seconds=(finished_at - run.started_at).total_seconds(),
            error_message=None if status == semconv.STATUS_SUCCESS else _error_message(span),
            overdue_at=run.deadline_at if run.deadline_at is not None and finished_at > run.deadline_at else None,
            slowest_child=_child_name(profile.slowest),
            slowest_child_seconds=profile.slowest_seconds,
            first_error=_child_name(profile.first_error),
            cpu_seconds=_amount(_attribute(span, semconv.JOB_CPU_TIME)),
            cost_usd=_amount(_attribute(span, semconv.JOB_COST)),
        )


def shortened(run: JobRun) -> JobRun:
    """The same run in little space, for where there is no more: without metadata, and with a short error."""
    metadata: dict[str, Json] = {MARK: "cut: no room"} if run.metadata else {}
    error = None if run.error_message is None else run.error_message[:_SHORT_ERROR_LENGTH]
    return replace(
        run, metadata=metadata, error_message=error, slowest_child=None, first_error=None, overdue_stack=None
    )


def run_id_of(context: SpanContext) -> str:
    return format_trace_id(context.trace_id) + format_span_id(context.span_id)


def with_attributes(span: ReadableSpan, attributes: Mapping[str, AttributeValue]) -> ReadableSpan:
    """The span as a run is made from it, with these attributes instead of its own."""
    if attributes == (span.attributes or {}):
        return span
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        attributes=attributes,
        events=span.events,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _attribute(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(name)


def _job_name(name: str, span_name: str) -> str:
    """The whole name of the job. A length limit may have cut the attribute, but not the name of the span, which contains it."""
    suffix = span_name.removeprefix(SPAN_NAME + name)
    whole = name + suffix if suffix != span_name and not suffix[:1].isspace() else name
    return shown_name(whole)


def shown_name(name: str) -> str:
    """The name of a job as it is kept."""
    return without_surrogates(redact(name))[:MAX_NAME_LENGTH]


def _timestamp(nanoseconds: int | None) -> datetime:
    return _EPOCH + timedelta(microseconds=(nanoseconds or 0) // 1000)


def _child_name(name: str | None) -> str | None:
    return None if name is None else without_surrogates(redact(name))[:MAX_CHILD_LENGTH]


def _amount(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < inf else None


def _deadline(timestamp: datetime, seconds: object) -> datetime | None:
    if not isinstance(seconds, int | float) or not 0 < seconds <= _MAX_RUNTIME_SECONDS:
        return None
    return timestamp + timedelta(seconds=seconds)


def _parsed_timestamp(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        timestamp = datetime.fromisoformat(text)
        return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _outcome(span: ReadableSpan) -> str:
    """The outcome in the attributes; without one, by the status of the span."""
    if outcome := _match_word(_attribute(span, semconv.JOB_OUTCOME), semconv.OUTCOMES):
        return outcome
    if status := _match_word(_attribute(span, semconv.JOB_STATUS), _OUTCOMES_BY_STATUS):
        return _OUTCOMES_BY_STATUS[status]
    return semconv.OUTCOME_ERROR if span.status.status_code is StatusCode.ERROR else semconv.OUTCOME_SUCCESS


def _match_word(value: object, words: Iterable[str]) -> str | None:
    """The word that starts with this value: a length limit may have cut the attribute. None if there is no such word."""
    return next((word for word in words if isinstance(value, str) and value and word.startswith(value)), None)


def _error_message(span: ReadableSpan) -> str | None:
    """`job.error`, else the message of the last exception, else the description of the status.

    A length limit may cut the attribute, but never the description; if that continues the attribute, it is used instead.
    """
    description, value = span.status.description, _attribute(span, semconv.JOB_ERROR)
    if isinstance(value, str) and not (description or "").startswith(value):
        return without_surrogates(redact(value))[:MAX_ERROR_LENGTH]
    text = description if value is not None else _exception_message(span) or description
    return without_surrogates(redact(text))[:MAX_ERROR_LENGTH] if text else None


def _exception_message(span: ReadableSpan) -> str | None:
    events = [event.attributes for event in span.events if event.name == "exception" and event.attributes]
    if not events:
        return None
    return to_text(events[-1].get("exception.message") or events[-1].get("exception.type", ""))
