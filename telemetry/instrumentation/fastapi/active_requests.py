"""The number of active requests by method and scheme, observed when the metrics are collected."""

import threading
from collections.abc import Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from telemetry import semconv
from telemetry.instrumentation.fastapi.request_duration import SCHEMES
from telemetry.stacks.hang_watch import HANG_WATCH
from telemetry.stacks.slow_requests import SlowRequests

_SCOPE: Final = "telemetry"
Kind = tuple[str, bool]
"""The method of a request, and whether its scheme is https."""


class ActiveRequests(dict[Kind, set[object]]):
    """The active requests themselves, by kind: adding to a set needs no lock, and an instrument that is called twice for each
    request costs ten times as much.
    """

    def __init__(self) -> None:
        super().__init__()
        self._slow = SlowRequests(self.open_requests)

    def __missing__(self, kind: Kind) -> set[object]:
        return self.setdefault(kind, set())

    def open_requests(self) -> list[Any]:
        """All of them, also for another thread than the one that adds and removes them."""
        return [request for requests in self.copy().values() for request in requests.copy()]

    def watch(self) -> None:
        """Log the requests that take too long, in this process."""
        HANG_WATCH.add(self._slow)

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(len(requests), {semconv.HTTP_METHOD: method, semconv.URL_SCHEME: SCHEMES[is_secure]})
            for (method, is_secure), requests in self.copy().items()
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
                semconv.HTTP_SERVER_ACTIVE, [known.observe], "{request}", "HTTP requests in progress."
            )
        return known
