"""Makes a sampled span of the SDK, and describes it, without the checks of each attribute that are most of its cost.

The attributes of a request are strings and numbers of bounded length already. The SDK has no public way to be told so. What is
private here is tried when an application's stack is built: if another version of the SDK differs, its public way is taken.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.trace import Span, SpanContext, SpanKind

_ROOM: Final = 16
"""At least so many attributes have to be allowed; no request has as many of its own."""
_TRIAL: Final[Mapping[str, str | int]] = {"trial": "x", "number": 1}


class SpanMaker:
    """Makes the spans of one tracer of the SDK."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._limits = tracer._span_limits  # noqa: SLF001  # tried by `find`
        self._scope = tracer._instrumentation_scope  # noqa: SLF001
        self._make = sdk._Span  # noqa: SLF001

    @classmethod
    def find(cls, tracer: Any) -> Self | None:
        """None if the SDK is not as expected, or if limits cut attributes: then it has to look at each."""
        try:
            return cls._tried(tracer)
        except Exception:  # noqa: BLE001  # whatever another version may raise
            return None

    @classmethod
    def _tried(cls, tracer: Any) -> Self | None:
        maker = cls(tracer)
        span = maker._made("trial", SpanContext(1, 1, is_remote=False), None, _TRIAL)
        maker.describe(span, "renamed", {"more": 2})
        limits = span._attributes  # noqa: SLF001
        is_free = limits.max_value_len is None and (limits.maxlen is None or limits.maxlen >= _ROOM)
        is_described = span.name == "renamed" and span.attributes == {**_TRIAL, "more": 2}
        return maker if is_free and is_described else None

    def start(
        self,
        name: str,
        context: SpanContext,
        parent: Context,
        caller: SpanContext | None,
        attributes: Mapping[str, Any],
    ) -> Span:
        """Start a span that has been decided on.

        Args:
            name: its name.
            context: its ids and flags.
            parent: the context that processors are told.
            caller: the span that it is a child of; None for a root.
            attributes: strings and numbers.
        """
        span: sdk.Span = self._made(name, context, caller, attributes)
        span.start(parent_context=parent)
        return span

    def _made(self, name: str, context: SpanContext, caller: SpanContext | None, attributes: Mapping[str, Any]) -> Any:
        tracer = self._tracer
        span: Any = self._make(
            name,
            context,
            caller,
            sampler=tracer.sampler,
            resource=tracer.resource,
            kind=SpanKind.SERVER,
            span_processor=tracer.span_processor,
            instrumentation_info=tracer.instrumentation_info,
            limits=self._limits,
            instrumentation_scope=self._scope,
        )
        span._attributes._dict.update(attributes)  # noqa: SLF001
        return span

    def describe(self, span: Any, name: str, attributes: Mapping[str, Any]) -> None:
        """Name a span that `start` made, and add attributes, strings and numbers."""
        held = span._attributes  # noqa: SLF001
        if span.is_recording() and (held.maxlen is None or len(held) + len(attributes) <= held.maxlen):
            with held._lock:  # noqa: SLF001
                held._dict.update(attributes)  # noqa: SLF001
                span._name = name  # noqa: SLF001
        else:
            span.set_attributes(attributes)
            span.update_name(name)
