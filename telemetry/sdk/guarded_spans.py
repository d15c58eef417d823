"""Spans that never raise into the work: whatever name, attribute, event, link or exception they are given.

The SDK cleans what it is given in the caller, and holds the lock of the span meanwhile: a value that has no text, is inside
itself or is changed by another thread raises there. Here such values are replaced first, by values that OTLP can carry; the
metric of what OTLP cannot carry counts them. What fails all the same is left out, and one warning says so.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SynchronousMultiSpanProcessor, Tracer, TracerProvider
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_MESSAGE, EXCEPTION_TYPE
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry.compatibility import internals
from telemetry.failsafe import failsafe, warn_once
from telemetry.json_safe import to_text
from telemetry.sdk.otlp_values import MAX_ITEMS, TYPE, OtlpValues

_PLAIN: Final = frozenset({str, bool, int, float, bytes, type(None)})
_TEXT: Final = frozenset({str})
_VALUES: Final = OtlpValues("spans")
_as_context_or_decorator: Final[Callable[..., Any]] = (
    internals.find("opentelemetry.util._decorator", "_agnosticcontextmanager") or contextlib.contextmanager
)


def cleaned(attributes: Any) -> dict[str, Any] | None:
    """A copy of attributes, which the SDK can read and nobody else changes."""
    if type(attributes) is dict:
        copied = attributes.copy()
        if _PLAIN.issuperset(map(type, copied.values())) and _TEXT.issuperset(map(type, copied)):
            return copied
        attributes = copied
    return None if attributes is None else _mended(attributes)


@failsafe
def _mended(attributes: Any) -> dict[str, Any] | None:
    if isinstance(attributes, Mapping) and isinstance(found := _VALUES.value(attributes), Mapping):
        return {**found}
    _VALUES.count(TYPE)
    return None


def _text(value: Any) -> Any:
    """A text, or None."""
    return value if type(value) is str else _VALUES.text(value)


def _description(error: BaseException) -> str:
    return f"{type(error).__name__}: {to_text(error)}"


class GuardedSpan(Span):
    """A span of the SDK, which takes anything. It is made of one that the SDK has made."""

    @override
    def set_attribute(self, key: str, value: Any) -> None:
        try:
            if type(key) is not str:
                _VALUES.count(TYPE)
                return
            super().set_attribute(key, value if type(value) in _PLAIN else _VALUES.value(value))
        except Exception:  # noqa: BLE001  # an edge: whatever it is given, the work goes on
            warn_once("Span.set_attribute")

    @override
    @failsafe
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        super().set_attributes(cleaned(attributes) or {})

    @override
    @failsafe
    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        super().add_event(_text(name), cleaned(attributes), timestamp)

    @override
    @failsafe
    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        super().add_link(context, cleaned(attributes))

    @override
    @failsafe
    def update_name(self, name: str) -> None:
        super().update_name(_text(name))

    @override
    @failsafe
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        super().set_status(status, None if description is None else _text(description))

    @override
    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        attributes = cleaned(attributes)
        try:
            super().record_exception(exception, attributes, timestamp, escaped)
        except Exception:  # noqa: BLE001  # an exception whose text cannot be read
            told = {EXCEPTION_TYPE: type(exception).__qualname__, EXCEPTION_MESSAGE: _VALUES.text(exception)}
            self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    @override
    @failsafe
    def end(self, end_time: int | None = None) -> None:
        super().end(end_time)

    @override
    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if exc_val is not None:
            self.note(exc_val, self._set_status_on_exception, self._record_exception, escaped=True)
        self.end()

    def note(self, error: BaseException, set_status: bool, record_exception: bool, *, escaped: bool = False) -> None:  # noqa: FBT001  # the SDK's flags
        """Record what has ended the work of this span."""
        if not self.is_recording():
            return
        if record_exception:
            self.record_exception(error, escaped=escaped)
        if set_status:
            self.set_status(Status(StatusCode.ERROR, _description(error)))


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
                _text(name),
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
        name, version = _text(instrumenting_module_name), _text(instrumenting_library_version)
        tracer = super().get_tracer(name, version, _text(schema_url), cleaned(attributes))
        if type(tracer) is Tracer:
            tracer.__class__ = GuardedTracer
        return tracer
