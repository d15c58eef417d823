"""Propagation that never raises into the work: a value of the baggage may have no text, a carrier may refuse a header."""

from typing import Final

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from typing_extensions import override

from telemetry.failsafe import warn_once
from telemetry.sdk.otlp_values import OtlpValues

_PLAIN: Final = frozenset({str, bool, int, float})
_VALUES: Final = OtlpValues("spans")


class GuardedPropagator(TextMapPropagator):
    """Passes on to another propagator. What that raises is left out, and one warning says so."""

    def __init__(self, inner: TextMapPropagator) -> None:
        self._inner = inner

    @override
    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        try:
            return self._inner.extract(carrier, context, getter)
        except Exception:  # noqa: BLE001  # an edge: a foreign header costs no request
            warn_once("propagation from a caller")
            return Context() if context is None else context

    @override
    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        try:
            self._inner.inject(carrier, _with_plain_baggage(context), setter)
        except Exception:  # noqa: BLE001  # an edge: the request goes out without this header
            warn_once("propagation to a service")

    @property
    @override
    def fields(self) -> set[str]:
        return self._inner.fields


def _with_plain_baggage(context: Context | None) -> Context | None:
    """The context with texts for what a propagator would make a text of: some values have none, or one without end."""
    for name, value in baggage.get_all(context).items():
        if type(value) not in _PLAIN or type(name) is not str:
            plain = value if type(value) in _PLAIN else _VALUES.text(value)
            context = baggage.set_baggage(_VALUES.text(name), plain, baggage.remove_baggage(name, context))
    return context


def guard_propagation() -> None:
    """Guard the propagator of the process."""
    if not isinstance(current := get_global_textmap(), GuardedPropagator):
        set_global_textmap(GuardedPropagator(current))
