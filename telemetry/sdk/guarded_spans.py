"""Spans that never raise into the work: whatever name, attribute, event, link or exception they are given.

The SDK cleans what it is given in the caller, and holds the lock of the span meanwhile: a value that has no text, is inside
itself or is changed by another thread raises there. Here such values are replaced first, by values that OTLP can carry; the
metric of what OTLP cannot carry counts them. What fails all the same is left out, and one warning says so.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from opentelemetry.sdk.trace import Span
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_MESSAGE, EXCEPTION_TYPE
from opentelemetry.trace import SpanContext, Status, StatusCode
from opentelemetry.util.types import Attributes
from typing_extensions import override

from telemetry.failsafe import failsafe, warn_once
from telemetry.json_safe import to_text
from telemetry.sdk.otlp_values import TYPE, OtlpValues

_PLAIN: Final = frozenset({str, bool, int, float, bytes, type(None)})
_TEXT: Final = frozenset({str})
_VALUES: Final = OtlpValues("spans")


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


def text(value: Any) -> Any:
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
        super().add_event(text(name), cleaned(attributes), timestamp)

    @override
    @failsafe
    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        super().add_link(context, cleaned(attributes))

    @override
    @failsafe
    def update_name(self, name: str) -> None:
        super().update_name(text(name))

    @override
    @failsafe
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        super().set_status(status, None if description is None else text(description))

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
