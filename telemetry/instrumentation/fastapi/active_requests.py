"""The number of active requests by method and scheme, observed when the metrics are collected."""

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from telemetry import semconv
from telemetry.instrumentation.fastapi.request_duration import SCHEMES

_SCOPE: Final = "telemetry"


class ActiveRequests:
    """Counts in a dictionary: an instrument that is called twice for each request costs ten times as much."""

    def __init__(self) -> None:
        self._numbers: defaultdict[tuple[str, bool], int] = defaultdict(int)
        self._lock = threading.RLock()

    def change(self, kind: tuple[str, bool], by: int) -> None:
        """Count requests of a method, and whether their scheme is https."""
        with self._lock:
            self._numbers[kind] += by

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            numbers = list(self._numbers.items())
        return [
            Observation(number, {semconv.HTTP_METHOD: method, semconv.URL_SCHEME: SCHEMES[is_secure]})
            for (method, is_secure), number in numbers
        ]


_by_provider: WeakKeyDictionary[MeterProvider, ActiveRequests] = WeakKeyDictionary()
_lock = threading.RLock()


def active_requests(provider: MeterProvider) -> ActiveRequests:
    """The active requests of all applications that are measured with a provider."""
    with _lock:
        if (known := _by_provider.get(provider)) is None:
            known = _by_provider[provider] = ActiveRequests()
            meter = provider.get_meter(_SCOPE, schema_url=semconv.SCHEMA_URL)
            meter.create_observable_up_down_counter(
                semconv.HTTP_SERVER_ACTIVE, [known.observe], "{request}", "HTTP requests being answered."
            )
        return known
