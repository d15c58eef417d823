"""HTTP client instrumentation for httpx and httpx2 (which the openai package uses), by their published packages.

Those record nothing for a request that raised, know no endpoints, and end with the headers of a response. So they get a tracer and
hooks of ours, and no meter: `ClientTracer` sees each request begin and fail, the hook sees its response. From both comes one
measurement, `http.client.request.duration` and the span alike, which ends with the body. No URL gets further than the tracer.
"""

from collections.abc import Collection, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.metrics import Histogram, NoOpMeterProvider
from opentelemetry.trace import INVALID_SPAN, Span, Tracer, use_span

from telemetry import semconv
from telemetry.compatibility.instrumentation import BaseInstrumentor
from telemetry.failsafe import failsafe
from telemetry.instrumentation.client_request import ClientRequest
from telemetry.instrumentation.external_services import UNKNOWN_ENDPOINT, Endpoint, ServiceDirectory
from telemetry.instrumentation.wrapped_tracers import WrappedTracers

MAX_UNKNOWN_HOSTS: Final = 100
"""Hosts of no known service that the duration names; further ones have no `server.address` there."""
_PUBLISHED: Final[dict[str, Any]] = {"httpx": HTTPXClientInstrumentor, "httpx2": HTTPX2ClientInstrumentor}
# The first are the URL by the stable and by the old conventions. The package takes the URL's host for the peer's address.
_URLS: Final = frozenset({semconv.URL_FULL, "http.url"})
_UNTRUE: Final = frozenset({"network.peer.address", "network.peer.port"})
_current: Final[ContextVar[ClientRequest | None]] = ContextVar("client_request", default=None)


class ClientTracer(Tracer):
    """The tracer of the published packages: it measures each request for which they start a span."""

    def __init__(self, inner: Tracer, duration: Histogram, directory: ServiceDirectory) -> None:
        self._inner = inner
        self._duration = duration
        self._directory = directory
        self._unknown_hosts: set[tuple[str, int]] = set()

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> Span:
        return self._inner.start_span(name, *args, **kwargs)

    def start_as_current_span(self, name: str, *_args: Any, **kwargs: Any) -> Any:
        return self._request(name, dict(kwargs.pop("attributes", None) or {}), kwargs)

    @contextmanager
    def _request(self, name: str, attributes: dict[str, Any], options: dict[str, Any]) -> Generator[Span]:
        endpoint = self._find(attributes) or UNKNOWN_ENDPOINT
        span = self._start(name, endpoint, attributes, options) or INVALID_SPAN
        request = ClientRequest(span, self._duration, self._metric_attributes(name, endpoint))
        token = _current.set(request)
        try:
            with _as_current(span):
                yield span
        except BaseException as error:
            request.fail(error)
            raise
        finally:
            _current.reset(token)
        if not request.has_body:
            request.end()

    @failsafe
    def _find(self, attributes: dict[str, Any]) -> Endpoint:
        return self._directory.find(next((str(attributes[each]) for each in _URLS if each in attributes), ""))

    @failsafe
    def _start(self, name: str, endpoint: Endpoint, attributes: dict[str, Any], options: dict[str, Any]) -> Span:
        """Start the span with all its attributes: a sampler sees them."""
        described = {key: value for key, value in attributes.items() if key not in _URLS | _UNTRUE}
        described |= endpoint.attributes() | {semconv.URL_FULL: endpoint.public_url}
        return self._inner.start_span(_span_name(name, endpoint), attributes=described, **options)

    def _metric_attributes(self, method: str, endpoint: Endpoint) -> dict[str, str | int]:
        known = method if method in semconv.KNOWN_METHODS else semconv.OTHER_METHOD
        attributes: dict[str, str | int] = {semconv.HTTP_METHOD: known, **endpoint.attributes()}
        if not endpoint.is_known and not self._is_admitted((endpoint.address, endpoint.port)):
            attributes.pop(semconv.SERVER_ADDRESS, None)
            attributes.pop(semconv.SERVER_PORT, None)
        return attributes

    def _is_admitted(self, host: tuple[str, int]) -> bool:
        if host not in self._unknown_hosts and len(self._unknown_hosts) < MAX_UNKNOWN_HOSTS:
            self._unknown_hosts.add(host)
        return host in self._unknown_hosts


def _span_name(method: str, endpoint: Endpoint) -> str:
    return f"{method} {endpoint.template}" if endpoint.template.startswith("/") else method


def _as_current(span: Span) -> AbstractContextManager[Span]:
    """The request itself records what is raised, and ends its span."""
    return use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


@failsafe
def response_hook(_span: Span, _request: object, response: Any) -> None:
    """Hook of the published packages: the headers of a response have arrived."""
    if request := _current.get():
        version = response.extensions.get("http_version", b"").decode("ascii", "ignore")
        request.respond(response.status_code, version.removeprefix("HTTP/"), response.stream)


async def async_response_hook(span: Span, request: object, response: Any) -> None:
    response_hook(span, request, response)


class HTTPClientInstrumentor(BaseInstrumentor):
    """Instruments the transports of both libraries, so that every client is measured, however it was created."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("httpx >= 0.27",)

    def _instrument(self, **kwargs: Any) -> None:
        duration: Histogram | None = kwargs.get("duration")
        if duration is None:
            meter = metrics.get_meter(__name__, schema_url=semconv.SCHEMA_URL)
            duration = meter.create_histogram(semconv.HTTP_CLIENT_DURATION, unit="s")
        directory: ServiceDirectory = kwargs.get("directory") or ServiceDirectory()
        tracers = WrappedTracers(
            kwargs.get("tracer_provider") or trace.get_tracer_provider(),
            lambda tracer: ClientTracer(tracer, duration, directory),
        )
        self._uninstrument()  # with other tracers and hooks, nothing would be measured
        for instrumentor in _installed():
            instrumentor.instrument(
                tracer_provider=tracers,
                meter_provider=NoOpMeterProvider(),
                response_hook=response_hook,
                async_response_hook=async_response_hook,
            )

    def _uninstrument(self, **_kwargs: Any) -> None:
        for instrumentor in _installed():
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()


def _installed() -> list[Any]:
    return [instrumentor() for name, instrumentor in _PUBLISHED.items() if find_spec(name)]
