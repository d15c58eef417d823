"""Sampling: a job's span is recorded whatever the sampler says of traces."""

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult, StaticSampler
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry import semconv
from telemetry.sdk.trace_suppression import is_suppressed


def _is_in_none(_span: SpanContext) -> bool:
    return False


class JobSampler(Sampler):
    """One request in ten is traced, and every job run.

    A span that is dropped reaches no processor, and its run would be lost. A job's span, known by `job.name` among the
    attributes that it starts with, is therefore exported, too; only where tracing is switched off (`always_off`) is it
    merely recorded (`RECORD_ONLY` reaches the processors and no exporter). So are the spans in a run that would be
    dropped: its row says what took the time. The telemetry's own errands are not traced.

    A run says in its trace state that it is one (`job=run`), and what is in it inherits that: who samples behind us, such as a
    Collector, can keep the whole run from its first span on, though that of the job itself comes last.
    """

    def __init__(self, inner: Sampler, is_in_run: Callable[[SpanContext], bool] = _is_in_none) -> None:
        """`is_in_run` is asked whether a span is a job's, or in one."""
        self._inner = inner
        self._is_in_run = is_in_run
        self._instead = Decision.RECORD_ONLY if _is_off(inner) else Decision.RECORD_AND_SAMPLE

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
        result = self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if attributes and semconv.JOB_NAME in attributes:
            decision = self._instead if result.decision is Decision.DROP else result.decision
            return SamplingResult(decision, attributes, _of_a_run(result.trace_state))
        if result.decision is not Decision.DROP:
            return result
        if self._is_in_run(get_current_span(parent_context).get_span_context()):
            return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        return f"JobSampler({self._inner.get_description()})"


def _of_a_run(state: TraceState | None) -> TraceState:
    return (state or TraceState()).update(*semconv.JOB_RUN_STATE)


def _is_off(sampler: Sampler) -> bool:
    """`always_off`, or a parent-based sampler whose root is."""
    root = getattr(sampler, "_root", sampler)
    return isinstance(root, StaticSampler) and root.get_description() == ALWAYS_OFF.get_description()
