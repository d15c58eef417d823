"""The OpenTelemetry span of one job run; all other records of the run are made from it.

Every step is fail-safe: an error in it is logged and never reaches the job.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_span_id, format_trace_id
from opentelemetry.util.types import AttributeValue

from telemetry import semconv
from telemetry.costs import OTHER
from telemetry.costs.prices import Prices
from telemetry.costs.run_cost import RunCost
from telemetry.failsafe import failsafe
from telemetry.jobs.metadata import to_attribute
from telemetry.jobs.outcome import error_message, outcome_of, status_of
from telemetry.jobs.run import SPAN_NAME, shown_name
from telemetry.sdk.given_attributes import NOTHING, give, take


@dataclass(slots=True)
class JobHandle:
    """The value of `with monitor_job(…) as run`.

    Attributes:
        job_name: the name of the job.
        metadata: stored with the run; may be changed until the block ends.
        run_id: the key of the row in `job_runs`; empty if the run is not recorded.
        skipped: set it if the run could only wait. Its outcome is then `skipped`, unless an exception ends it.
    """

    job_name: str
    metadata: dict[str, Any]
    run_id: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class JobSpanOptions:
    """The scheduled start of the run, and the duration after which it counts as overdue."""

    scheduled_for: datetime | None = None
    max_runtime: timedelta | None = None


_NO_PRICES: Final = Prices()


class JobSpan:
    """Starts the span of a run, makes it the current one, and ends it with the outcome of the run."""

    def __init__(self, tracer: Tracer, run: JobHandle, options: JobSpanOptions, prices: Prices = _NO_PRICES) -> None:
        self._tracer = tracer
        self._run = run
        self._options = options
        self._prices = prices
        self.cost = RunCost(_cost_name(run.job_name))
        self._span: Span = trace.INVALID_SPAN
        self._result: Mapping[str, AttributeValue] = NOTHING
        self._outer_context: context.Context | None = None
        self._started_at, self._started_clock = time.time_ns(), time.perf_counter_ns()

    def start(self) -> None:
        self._start_span()
        self.enter()
        self.cost.start()

    def end(self, error: BaseException | None) -> None:
        nanoseconds = time.perf_counter_ns() - self._started_clock
        outcome = outcome_of(error, skipped=self._run.skipped)
        self.leave()
        self._set_result(outcome, error)
        self._record_error(error)
        self._end_span(self._started_at + nanoseconds)

    @failsafe
    def _start_span(self) -> None:
        # The sampler sees only the attributes that are set at the start.
        name, attributes = SPAN_NAME + self._run.job_name, self._attributes()
        give(name, attributes)
        self._span = self._tracer.start_span(
            name,
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            start_time=self._started_at,
        )
        take(name)  # a span that is not recorded has no processors
        span_context = self._span.get_span_context()
        if span_context.is_valid and self._span.is_recording():
            self._run.run_id = format_trace_id(span_context.trace_id) + format_span_id(span_context.span_id)

    @failsafe
    def enter(self) -> None:
        """Make the span the current one, also in another context than the one that started it."""
        if self._span is not trace.INVALID_SPAN:
            self._outer_context = context.get_current()
            context.attach(trace.set_span_in_context(self._span))

    @failsafe
    def leave(self) -> None:
        """Make the span around it the current one again, if it is the current one."""
        self.cost.stop()
        # A generator may be closed in another context. Detaching a token would log an error there; attaching a context does not.
        if self._outer_context is not None and trace.get_current_span() is self._span:
            context.attach(self._outer_context)

    @failsafe
    def _set_result(self, outcome: str, error: BaseException | None) -> None:
        result: dict[str, AttributeValue] = {semconv.JOB_OUTCOME: outcome, semconv.JOB_STATUS: status_of(outcome)}
        result = self._cost() | result
        if error is not None:
            result = {semconv.JOB_ERROR: error_message(error), **result}
        self._result = self._attributes(result)
        self._span.set_attributes(self._result)

    def _cost(self) -> dict[str, AttributeValue]:
        """What is known of it."""
        seconds, cost = self.cost.cpu_seconds(), self.cost.usd(self._prices)
        found = {semconv.JOB_CPU_TIME: seconds, semconv.JOB_COST: cost}
        return {name: value for name, value in found.items() if value is not None}

    def _attributes(self, result: dict[str, AttributeValue] | None = None) -> dict[str, AttributeValue]:
        """The most important attributes come last: if their number is limited, the SDK drops the oldest."""
        attributes: dict[str, AttributeValue] = (
            {semconv.JOB_METADATA: to_attribute(self._run.metadata)} if self._run.metadata or result else {}
        )
        if self._options.scheduled_for is not None:
            attributes[semconv.JOB_SCHEDULED_FOR] = self._options.scheduled_for.isoformat()
        if self._options.max_runtime is not None:
            attributes[semconv.JOB_MAX_RUNTIME] = self._options.max_runtime.total_seconds()
        return {**attributes, **(result or {}), semconv.JOB_NAME: self._run.job_name}

    @failsafe
    def _record_error(self, error: BaseException | None) -> None:
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error_message(error)))
            self._span.record_exception(error)

    @failsafe
    def _end_span(self, end_time: int) -> None:
        span_id = self._span.get_span_context().span_id
        give(span_id, self._result)
        self._span.end(end_time)
        take(span_id)


def _cost_name(name: object) -> str:
    """A name that is no text is shared with others of the kind."""
    return shown_name(name) if isinstance(name, str) else OTHER
