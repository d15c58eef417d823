"""Makes the sampled spans of requests: spans of the SDK that make their rarely needed parts when something asks for them.

The attributes of a request are strings and numbers of bounded length already, and few requests have events or links. The SDK
has no public way to be told so. What is private here is tried when an application's stack is built: if another version of the
SDK differs, its public way is taken.
"""

import copy
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, Final, Self

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode
from typing_extensions import override

from telemetry.sdk.guarded_spans import GuardedSpan

_ROOM: Final = 16
"""At least so many attributes have to be allowed; no request has as many of its own."""


def describe(span: Span, name: str, attributes: Mapping[str, Any]) -> None:
    """Name a span, and add attributes, by the public way."""
    span.set_attributes(attributes)
    span.update_name(name)


class RequestAttributes(BoundedAttributes):
    """The attributes of a span as the SDK holds them, around a dictionary that needs no check."""

    _immutable = False
    dropped = 0
    max_value_len = None

    def __init__(self, own: dict[str, Any], maxlen: int | None, lock: Any) -> None:
        self._dict = own
        self._lock = lock
        self.maxlen = maxlen

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._dict

    def try_add(self, attributes: Mapping[str, Any]) -> bool:
        """Add strings and numbers, if there is room and nothing has ended."""
        is_free = not self._immutable and (self.maxlen is None or len(self._dict) + len(attributes) <= self.maxlen)
        if is_free:
            self._dict.update(attributes)
        return is_free


def _made_when_asked(name: str, make: Callable[[Any], Any]) -> Any:
    """A field of the SDK's span. Threads that ask for it at once get the same object."""

    def get(span: Any) -> Any:
        fields = vars(span)
        return fields[name] if name in fields else fields.setdefault(name, make(span))

    return property(get, lambda span, value: vars(span).__setitem__(name, value))


class RequestSpan(GuardedSpan):
    """A span that takes anything, with the SDK's methods behind it. One lock is enough for it and its attributes."""

    end = sdk.Span.end  # what it calls is guarded

    _end_time: int | None = None
    _kind = SpanKind.SERVER
    _record_end_metrics = None
    _record_exception = True
    _set_status_on_exception = True
    _start_time: int | None = None
    _status = Status()
    _trace_config = None

    _events: Any = _made_when_asked("_made_events", lambda span: span._new_events())  # noqa: SLF001
    _links: Any = _made_when_asked("_made_links", lambda span: span._new_links(()))  # noqa: SLF001

    def __init__(
        self, maker: "SpanMaker", name: str, context: SpanContext, caller: SpanContext | None, own: dict[str, Any]
    ) -> None:
        """Instead of the SDK's, which makes everything."""
        tracer, limits = maker.tracer, maker.limits
        lock: Any = RLock()  # it does all that is asked of the SDK's plain one
        self._lock = lock
        self._attributes = RequestAttributes(own, limits.max_span_attributes, lock)
        self._context = context
        self._instrumentation_info = tracer.instrumentation_info
        self._instrumentation_scope = maker.scope
        self._limits = limits
        self._name = name
        self._parent = caller
        self._resource = tracer.resource
        self._sampler = tracer.sampler
        self._span_processor = tracer.span_processor

    def describe(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Name the span, and add attributes: strings and numbers."""
        with self._lock:
            held = self._attributes
            if type(held) is RequestAttributes and held.try_add(attributes):
                self._name = name
                return
        describe(self, name, attributes)

    def _readable_span(self) -> sdk.ReadableSpan:
        """What processors get at the end: the span itself, which refuses every change from then on."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> sdk.ReadableSpan:
        """What can be copied of it is what the SDK hands to processors."""
        return copy.deepcopy(super()._readable_span(), memo)


class SpanMaker:
    """Makes the spans of one tracer of the SDK."""

    def __init__(self, tracer: Any) -> None:
        self.tracer = tracer
        self.limits = tracer._span_limits  # noqa: SLF001  # tried by `find`
        self.scope = tracer._instrumentation_scope  # noqa: SLF001

    @classmethod
    def find(cls, tracer: Any) -> Self | None:
        """None if the SDK is not as expected, or if limits cut attributes: then it has to look at each."""
        try:
            maker = cls(tracer)
            return maker if maker._has_room() and maker._makes_the_same() else None
        except Exception:  # noqa: BLE001  # whatever another version may raise
            return None

    def _has_room(self) -> bool:
        number, length = self.limits.max_span_attributes, self.limits.max_span_attribute_length
        return length is None and (number is None or number >= _ROOM)

    def _makes_the_same(self) -> bool:
        """Whether a span made here has all fields of one that the SDK makes, tells processors the same, and reads the same."""
        theirs_told, ours_told = _Told(), _Told()
        context, own = SpanContext(1, 1, is_remote=False), {"trial": "x"}
        theirs: Any = sdk._Span(  # noqa: SLF001
            "trial",
            context,
            resource=self.tracer.resource,
            attributes=own,
            kind=SpanKind.SERVER,
            span_processor=theirs_told,  # type: ignore[arg-type]
            limits=self.limits,
            instrumentation_scope=self.scope,
        )
        ours: Any = RequestSpan(self, "trial", context, None, own)
        ours._span_processor = ours_told  # noqa: SLF001
        read = [_tried_out(theirs, describe), _tried_out(ours, RequestSpan.describe)]
        return (
            read[0] == read[1]
            and theirs_told.calls == ours_told.calls
            and all(hasattr(ours, field) for field in vars(theirs))
            and all(hasattr(ours._attributes, field) for field in vars(theirs._attributes))  # noqa: SLF001
        )

    def start(
        self,
        name: str,
        context: SpanContext,
        parent: Context,
        caller: SpanContext | None,
        attributes: dict[str, Any],
    ) -> RequestSpan:
        """Start a span that has been decided on.

        Args:
            name: its name.
            context: its ids and flags.
            parent: the context that processors are told.
            caller: the span that it is a child of; None for a root.
            attributes: strings and numbers; the span keeps the dictionary.
        """
        span = RequestSpan(self, name, context, caller, attributes)
        span.start(parent_context=parent)
        return span


class _Told:
    """A processor that keeps which of its methods were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: self.calls.append(name)


def _tried_out(span: Any, describe: Callable[[Any, str, Mapping[str, Any]], None]) -> str:
    span.start(1)
    describe(span, "described", {"more": 1})
    span.set_attribute("other", 2)
    span.add_event("event", {"of": "it"}, 2)
    span.set_status(StatusCode.ERROR, "failed")
    span.end(3)
    read: str = span.to_json()
    return read
