"""The sampler: it keeps the spans of jobs that the configured sampler would drop."""

from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry import semconv
from telemetry.redaction.exporters import redacted_trace_state
from telemetry.sdk.given_attributes import give
from telemetry.sdk.trace_suppression import is_suppressed

_PREFIX: Final = "job."


def _is_never_in_run(_span: SpanContext) -> bool:
    return False


class JobSampler(Sampler):
    """Wraps the configured sampler, so that every job run reaches the processors.

    A dropped span reaches no processor, and its run would be lost. A job's span starts with the attribute `job.name`, and is
    always sampled; with `always_off` it is only recorded (`RECORD_ONLY` reaches processors and no exporter). Spans within a run
    that would be dropped are recorded too, for the run's profile. Work in a suppressed context is never traced.

    The trace state of a run has the entry `job=run`, and the spans within the run inherit it. A tail sampler such as the
    Collector can thus keep a run from its first span on, though the job's own span arrives last.
    """

    def __init__(self, inner: Sampler, is_in_run: Callable[[SpanContext], bool] = _is_never_in_run) -> None:
        """`is_in_run` tells whether a span is a job's, or within one."""
        self.inner = inner
        self._is_in_run = is_in_run
        self._if_dropped = Decision.RECORD_ONLY if _is_off(inner) else Decision.RECORD_AND_SAMPLE

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if is_suppressed(parent_context):
            return ALWAYS_OFF.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        result = self.inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.trace_state:  # it goes on to whoever this process calls
            result = SamplingResult(result.decision, result.attributes, redacted_trace_state(result.trace_state))
        if attributes and semconv.JOB_NAME in attributes:
            give(name, {each: value for each, value in attributes.items() if _describes_run(each, value)})
            decision = self._if_dropped if result.decision is Decision.DROP else result.decision
            return SamplingResult(decision, attributes, _with_run_entry(result.trace_state))
        if result.decision is not Decision.DROP:
            return result
        if self._is_in_run(get_current_span(parent_context).get_span_context()):
            return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        return f"JobSampler({self.inner.get_description()})"


def _describes_run(name: str, value: object) -> bool:
    return name.startswith(_PREFIX) and isinstance(value, str | int | float)


def _with_run_entry(state: TraceState | None) -> TraceState:
    return (state or TraceState()).update(*semconv.JOB_RUN_STATE)


def _is_off(sampler: Sampler) -> bool:
    """Whether a sampler is `always_off`, or is parent-based with `always_off` at the root."""
    root = _root(sampler)
    return isinstance(root, StaticSampler) and root.get_description() == ALWAYS_OFF.get_description()


def root_bound(sampler: Sampler) -> int | None:
    """The bound by which a sampler decides on a root span that is no job's: dropped if the trace id's lower half is not below it.

    Comparing costs a tenth of what asking the sampler costs, which makes its result.

    Returns:
        None for a sampler that may decide by something else.
    """
    root = _root(sampler.inner if type(sampler) is JobSampler else sampler)
    if type(root) is TraceIdRatioBased:
        return root.bound
    if type(root) is StaticSampler:
        return {ALWAYS_OFF: 0, ALWAYS_ON: TraceIdRatioBased.TRACE_ID_LIMIT + 1}.get(root)
    return None


def _root(sampler: Sampler) -> Sampler:
    """What a parent-based sampler asks about root spans; any other sampler itself, and one of another SDK's shape as well."""
    is_parent_based = type(sampler).should_sample is ParentBased.should_sample
    return getattr(sampler, "_root", sampler) if is_parent_based else sampler
