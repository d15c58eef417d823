"""A context that suppresses tracing, for background work whose queries would otherwise each be a trace of their own."""

from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, create_key, get_value, set_value
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

_SUPPRESSED: Final = create_key("untraced")


def suppressed_context() -> Context:
    """A context with an unsampled parent, and a mark for samplers that ignore parents. Metrics are not suppressed."""
    ids = RandomIdGenerator()
    parent = trace.SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False)
    return set_value(_SUPPRESSED, True, trace.set_span_in_context(trace.NonRecordingSpan(parent)))


def is_suppressed(context: Context | None) -> bool:
    return get_value(_SUPPRESSED, context) is not None
