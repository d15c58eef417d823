"""Requests that a server has answered itself: too many at once, or no HTTP. No application has seen them."""

import threading
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import MeterProvider
from starlette.applications import Starlette

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.measuring import EMPTY_CONTEXT, known_methods
from telemetry.instrumentation.fastapi.published import Scope, find_layers
from telemetry.instrumentation.fastapi.request_duration import RequestDurations
from telemetry.instrumentation.fastapi.route_template import RouteResolver

_SCOPE: Final = "telemetry"
_by_provider: WeakKeyDictionary[MeterProvider, RequestDurations] = WeakKeyDictionary()
_lock = threading.RLock()


@failsafe
def record_server_answer(provider: MeterProvider, status: int, scope: Scope, app: object) -> None:
    """Count a request that a server has answered with a status, at once.

    Args:
        provider: measures the application's requests, too.
        status: what the server wrote.
        scope: what is known of the request. Without a method it is no request of HTTP.
        app: the application that the server serves, by whose routes the request is named.
    """
    method = scope.get("method")
    known = method if method in known_methods() else semconv.OTHER_METHOD
    route = _route(app, scope, status) if method else None
    series = _durations(provider)[known, route, status, scope.get("scheme") == "https", scope.get("http_version", "")]
    series.record(0.0, EMPTY_CONTEXT, False)


def _route(app: object, scope: Scope, status: int) -> str | None:
    found: Any = next((layer for layer in find_layers(app) if isinstance(layer, Starlette)), None)
    return RouteResolver(found).resolve(scope, scope.get("root_path", ""), status) if found is not None else None


def _durations(provider: MeterProvider) -> RequestDurations:
    with _lock:
        if (known := _by_provider.get(provider)) is None:
            meter = provider.get_meter(_SCOPE, schema_url=semconv.SCHEMA_URL)
            histogram = meter.create_histogram(
                semconv.HTTP_SERVER_DURATION, unit="s", description="Duration of HTTP server requests."
            )
            known = _by_provider[provider] = RequestDurations(histogram)
        return known
