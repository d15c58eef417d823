"""The number of active requests by method and scheme, observed when the metrics are collected."""

import threading
from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from telemetry import semconv
from telemetry.instrumentation.fastapi.request_duration import SCHEMES

_SCOPE: Final = "telemetry"
Kind = tuple[str, bool]
"""The method of a request, and whether its scheme is https."""


class ActiveRequests(dict[Kind, set[object]]):
    """The active requests themselves, by kind: adding to a set needs no lock, and an instrument that is called twice for each
    request costs ten times as much.
    """

    def __missing__(self, kind: Kind) -> set[object]:
        return self.setdefault(kind, set())

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
