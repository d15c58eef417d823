"""Sampling: a job's span is recorded whatever the sampler says of traces."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult, StaticSampler
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry import names
from telemetry.untraced import is_untraced


class JobSampler(Sampler):
    """One request in ten is traced, and every job run.

    A span that is dropped reaches no processor, and its run would be lost. A job's span, known by `job.name` among the
    attributes that it starts with, is therefore exported, too; only where tracing is switched off (`always_off`) is it
    merely recorded (`RECORD_ONLY` reaches the processors and no exporter). The telemetry's own errands are not traced.
    """

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner
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
        if is_untraced(parent_context):
            return ALWAYS_OFF.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        result = self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is Decision.DROP and attributes and names.JOB_NAME in attributes:
            return SamplingResult(self._instead, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        return f"JobSampler({self._inner.get_description()})"


def _is_off(sampler: Sampler) -> bool:
    """`always_off`, or a parent-based sampler whose root is."""
    root = getattr(sampler, "_root", sampler)
    return isinstance(root, StaticSampler) and root.get_description() == ALWAYS_OFF.get_description()
