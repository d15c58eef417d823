"""A tracer provider whose tracers and processors never raise into the work, and whose spans do not either."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SynchronousMultiSpanProcessor, Tracer, TracerProvider
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, SpanKind
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry.compatibility import internals
from telemetry.failsafe import failsafe, warn_once
from telemetry.sdk.guarded_spans import GuardedSpan, cleaned, text
from telemetry.sdk.otlp_values import MAX_ITEMS

_as_context_or_decorator: Final[Callable[..., Any]] = (
    internals.find("opentelemetry.util._decorator", "_agnosticcontextmanager") or contextlib.contextmanager
)


class GuardedTracer(Tracer):
    """A tracer of the SDK, which starts a span whatever it is given. It is made of one that the SDK has made."""

    @override
    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        try:
            span = super().start_span(
                text(name),
                context,
                kind,
                cleaned(attributes),
                () if type(links) is tuple and not links else _cleaned_links(links),
                start_time,
                record_exception,
                set_status_on_exception,
            )
            if isinstance(span, Span):
                span.__class__ = GuardedSpan
        except Exception:  # noqa: BLE001  # an edge: the work goes on without this span
            warn_once("Tracer.start_span")
            return _parent(context)
        return span

    @override
    @_as_context_or_decorator
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[trace.Span]:
        span = self.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        with trace.use_span(span, end_on_exit, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except Exception as error:
                if isinstance(span, GuardedSpan):
                    span.note(error, set_status_on_exception, record_exception)
                raise


@failsafe
def _cleaned_links(links: Any) -> Sequence[Link]:
    """The links. What is none is left out."""
    if links is None:
        return ()
    found = islice(links, MAX_ITEMS)
    return [Link(each.context, cleaned(each.attributes)) for each in found if isinstance(each, Link)]


def _parent(context: Context | None) -> trace.Span:
    """What stands for a span that cannot be made: spans under it belong to its parent."""
    try:
        return NonRecordingSpan(trace.get_current_span(context).get_span_context())
    except Exception:  # noqa: BLE001  # the context is none, or has something else for its span
        return INVALID_SPAN


class _GuardedProcessors(SynchronousMultiSpanProcessor):
    """Processors of which one that raises costs neither the span nor the others."""

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for processor in self._span_processors:
            try:
                processor.on_start(span, parent_context)
            except Exception:  # noqa: BLE001  # an edge: the application may have added it
                warn_once(f"{type(processor).__qualname__}.on_start")

    @override
    def on_end(self, span: ReadableSpan) -> None:
        for processor in self._span_processors:
            try:
                processor.on_end(span)
            except Exception:  # noqa: BLE001  # likewise
                warn_once(f"{type(processor).__qualname__}.on_end")


class GuardedTracerProvider(TracerProvider):
    """A tracer provider whose spans never raise into the work."""

    def __init__(self, resource: Resource, meter_provider: MeterProvider) -> None:
        super().__init__(
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=_GuardedProcessors(),  # type: ignore[no-untyped-call]
            meter_provider=meter_provider,
        )

    @override
    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        name, version = text(instrumenting_module_name), text(instrumenting_library_version)
        tracer = super().get_tracer(name, version, text(schema_url), cleaned(attributes))
        if type(tracer) is Tracer:
            tracer.__class__ = GuardedTracer
        return tracer
