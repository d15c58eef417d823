"""The number of active requests by method, observed when the metrics are collected."""

import threading
from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from telemetry import semconv

_SCOPE: Final = "telemetry"


class ActiveRequests:
    """Counts in a dictionary: an instrument that is called twice for each request costs ten times as much."""

    def __init__(self) -> None:
        self._by_method: dict[str, int] = {}
        self._lock = threading.RLock()

    def change(self, method: str, by: int) -> None:
        with self._lock:
            self._by_method[method] = self._by_method.get(method, 0) + by

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            by_method = list(self._by_method.items())
        return [Observation(number, {semconv.HTTP_METHOD: method}) for method, number in by_method]


_by_provider: WeakKeyDictionary[MeterProvider, ActiveRequests] = WeakKeyDictionary()
_lock = threading.RLock()


def active_requests(provider: MeterProvider) -> ActiveRequests:
    """The active requests of all applications that are measured with a provider."""
    with _lock:
        if (known := _by_provider.get(provider)) is None:
            known = _by_provider[provider] = ActiveRequests()
            provider.get_meter(_SCOPE).create_observable_up_down_counter(
                semconv.HTTP_SERVER_ACTIVE, [known.observe], "{request}", "HTTP requests being answered."
            )
        return known
