"""A tracer provider for a published instrumentation, whose tracers are ours: its spans are described by the conventions."""

from collections.abc import Callable

from opentelemetry.trace import Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from telemetry import semconv


class WrappedTracers(TracerProvider):
    """Wraps each tracer of a provider. Its scope keeps the name of the instrumentation, and has the schema of our conventions."""

    def __init__(self, inner: TracerProvider, wrap: Callable[[Tracer], Tracer]) -> None:
        self._inner = inner
        self._wrap = wrap

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002  # the instrumentation's own: that of what it would have said
        attributes: Attributes = None,
    ) -> Tracer:
        tracer = self._inner.get_tracer(
            instrumenting_module_name, instrumenting_library_version, semconv.SCHEMA_URL, attributes
        )
        return self._wrap(tracer)
