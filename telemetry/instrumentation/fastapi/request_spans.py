"""Starts the spans of requests. Whether one is sampled is decided first: one that is not makes no span of the SDK."""

import copy
import threading
from collections.abc import Callable
from random import getrandbits
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer as SDKTracer
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer, get_current_span
from typing_extensions import override

from telemetry.compatibility import internals
from telemetry.instrumentation.fastapi.span_maker import RequestSpan, SpanMaker, describe
from telemetry.sdk.guarded_tracers import GuardedTracer
from telemetry.sdk.sampler import root_bound

# Without it, as in another version of the SDK, its tracer starts every span.
NoOpTracerMetrics: Final[Any] = internals.find("opentelemetry.sdk.trace._tracer_metrics", "NoOpTracerMetrics")
Attributes = dict[str, str | int]
_LOWER_HALF: Final = (1 << 64) - 1


class RequestTracer:
    """Starts the span of each request, and describes it, by the public way alone."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def start(self, name: str, parent: Context, attributes: Callable[[], Attributes]) -> Span:
        """Start a span in the trace of `parent`. `attributes` is called for a span that is recorded, or whose sampler asks."""
        span: Span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes())
        return span

    def describe(self, span: Span, name: str, attributes: Attributes) -> None:
        """Name a span that was started here, and add attributes."""
        if type(span) is RequestSpan:
            span.describe(name, attributes)
        else:
            describe(span, name, attributes)


def request_tracer(tracer: Tracer) -> RequestTracer:
    """The cheapest way of starting spans that this version of the SDK has."""
    return DecidingTracer(tracer) if _decides_as_expected(tracer) else RequestTracer(tracer)


def _decides_as_expected(tracer: Any) -> bool:
    """Whether a tracer is the SDK's, has what is asked of it here, and does not count the spans that it starts."""
    return (
        type(tracer) in {SDKTracer, GuardedTracer}
        and NoOpTracerMetrics is not None
        and isinstance(getattr(tracer, "_tracer_metrics", None), NoOpTracerMetrics)
        and hasattr(getattr(tracer, "_tracer_config", None), "is_enabled")
    )


class DecidingTracer(RequestTracer):
    """Does what the SDK's tracer does, in another order: it asks the sampler before it makes anything for the span.

    A span that is sampled is made by `SpanMaker`, or by a copy of the tracer, which is told the trace id and the decision.
    """

    def __init__(self, tracer: Any) -> None:
        super().__init__(tracer)
        self._maker = SpanMaker.find(tracer)
        self._decided = _Decided()
        self._copy = copy.copy(tracer)
        self._copy.sampler = _DecidedSampler(self._decided)
        self._copy.id_generator = _DecidedIds(self._decided, tracer)
        self._sampler: Sampler | None = None
        self._root_bound: int | None = None
        self._draws_itself = False

    @override
    def start(self, name: str, parent: Context, attributes: Callable[[], Attributes]) -> Span:  # noqa: C901  # a call more costs more
        tracer = self._tracer
        if not tracer._tracer_config.is_enabled:  # noqa: SLF001  # checked by `_decides_as_expected`
            return NonRecordingSpan(get_current_span(parent).get_span_context())
        if parent and (caller := get_current_span(parent).get_span_context()).is_valid:
            return self._start(_Start(name, parent, attributes, caller.trace_id, caller))
        if tracer.sampler is not self._sampler:
            self._look_at_sampler(tracer)
        if not self._draws_itself:
            return self._start(_Start(name, parent, attributes, tracer.id_generator.generate_trace_id()))
        trace_id = getrandbits(128) or 1
        if trace_id & _LOWER_HALF >= self._root_bound:  # type: ignore[operator]  # known, if it draws itself
            return UnsampledSpan(trace_id)
        if self._maker is not None:
            context = SpanContext(trace_id, getrandbits(64) or 1, False, _SAMPLED)
            return self._maker.start(name, context, parent, None, attributes())
        return self._start(_Start(name, parent, attributes, trace_id))

    def _look_at_sampler(self, tracer: Any) -> None:
        """See whether one comparison decides on a root, whose ids then are drawn here as the SDK draws them."""
        self._sampler, self._root_bound = tracer.sampler, root_bound(tracer.sampler)
        self._draws_itself = self._root_bound is not None and type(tracer.id_generator) is RandomIdGenerator

    def _start(self, start: "_Start") -> Span:
        described = start.attributes()
        result = self._tracer.sampler.should_sample(
            start.parent, start.trace_id, start.name, SpanKind.SERVER, described, ()
        )
        if result.decision is Decision.DROP:
            return NonRecordingSpan(self._context(start.trace_id, start.caller, result.trace_state, is_sampled=False))
        return self._recorded(start, result, described)

    def _context(self, trace_id: int, caller: SpanContext | None, state: Any, *, is_sampled: bool) -> SpanContext:
        ids = self._tracer.id_generator
        is_random = ids.is_trace_id_random() if caller is None else caller.trace_flags.random_trace_id
        flags = _FLAGS[is_sampled, is_random]
        return SpanContext(trace_id, ids.generate_span_id(), is_remote=False, trace_flags=flags, trace_state=state)

    def _recorded(self, start: "_Start", result: SamplingResult, described: Attributes) -> Span:
        if self._maker is not None and result.attributes == described:
            is_sampled = result.decision is Decision.RECORD_AND_SAMPLE
            context = self._context(start.trace_id, start.caller, result.trace_state, is_sampled=is_sampled)
            return self._maker.start(start.name, context, start.parent, start.caller, dict(described))
        self._decided.trace_id, self._decided.result = start.trace_id, result
        span: Span = self._copy.start_span(start.name, start.parent, SpanKind.SERVER)
        return span


class UnsampledSpan(NonRecordingSpan):
    """The span of a root that is not sampled. The rest of its context is made when something asks for it; most often nothing does."""

    def __init__(self, trace_id: int) -> None:
        self._trace_id = trace_id

    @override
    def get_span_context(self) -> SpanContext:
        known = vars(self)
        made: SpanContext | None = known.get("_context")
        if made is None:  # `setdefault`: several threads get the same one
            made = known.setdefault("_context", SpanContext(self._trace_id, getrandbits(64) or 1, False, _UNSAMPLED))
        return made

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.get_span_context()!r})"


class _Start(NamedTuple):
    """A span that is to be started: in the trace of `trace_id`, as a child of the span `caller`."""

    name: str
    parent: Context
    attributes: Callable[[], Attributes]
    trace_id: int
    caller: SpanContext | None = None


# By whether the span is sampled, and whether the trace id is random.
_FLAGS: Final = {
    (is_sampled, is_random): TraceFlags(
        (TraceFlags.SAMPLED if is_sampled else 0) | (TraceFlags.RANDOM_TRACE_ID if is_random else 0)
    )
    for is_sampled in (False, True)
    for is_random in (False, True)
}


# The ids of the SDK's own generator are random.
_UNSAMPLED: Final = _FLAGS[False, True]
_SAMPLED: Final = _FLAGS[True, True]


class _Decided(threading.local):
    """The decision on the span that this thread starts next."""

    trace_id: int = 0
    result: SamplingResult = SamplingResult(Decision.DROP)


class _DecidedSampler(Sampler):
    def __init__(self, decided: _Decided) -> None:
        self._decided = decided

    @override
    def should_sample(self, *_arguments: Any, **_named: Any) -> SamplingResult:
        return self._decided.result

    @override
    def get_description(self) -> str:
        return "decided"


class _DecidedIds(IdGenerator):
    def __init__(self, decided: _Decided, tracer: Any) -> None:
        self._decided = decided
        self._tracer = tracer

    @override
    def generate_trace_id(self) -> int:
        return self._decided.trace_id

    @override
    def generate_span_id(self) -> int:
        span_id: int = self._tracer.id_generator.generate_span_id()
        return span_id

    @override
    def is_trace_id_random(self) -> bool:
        is_random: bool = self._tracer.id_generator.is_trace_id_random()
        return is_random
