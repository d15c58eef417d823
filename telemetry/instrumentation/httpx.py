"""HTTP client instrumentation: `http.client.request.duration` by service and endpoint, failed calls included.

For httpx and httpx2 (which the openai package uses). The published instrumentation records nothing for a request that raised,
and knows no endpoints. It still creates the spans; `ClientSpans` keeps tokens out of them.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from types import ModuleType
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span
from wrapt import wrap_function_wrapper

from telemetry import semconv
from telemetry.compatibility.instrumentation import BaseInstrumentor
from telemetry.failsafe import failsafe
from telemetry.instrumentation.external_services import Endpoint, ServiceDirectory

LIBRARIES: Final = ("httpx", "httpx2")
# Where the package writes the URL if another package was instrumented before the opt-in to the stable conventions.
_OLD_URLS: Final = frozenset({"http.url"})
# What truncates a body. (GeneratorExit does not: the reader closes a body that it needs no more of.)
_TRUNCATED: Final = (Exception, CancelledError)


class _ClientRequest:
    """One outgoing request, until its response's body ends in any way. Recorded once."""

    def __init__(self, duration: Histogram, endpoint: Endpoint, method: str) -> None:
        self._duration = duration
        self._is_open = True
        self._started = perf_counter()
        self._attributes: dict[str, str | int] = {
            semconv.HTTP_METHOD: method if method in semconv.KNOWN_METHODS else semconv.OTHER_METHOD,
            semconv.PEER_SERVICE: endpoint.service,
            semconv.URL_TEMPLATE: endpoint.template,
        }

    def set_status(self, status: int) -> None:
        self._attributes[semconv.HTTP_STATUS_CODE] = status

    def fail(self, error: BaseException) -> None:
        """Record a request without a complete response; the status of a truncated one is left out."""
        self._attributes.pop(semconv.HTTP_STATUS_CODE, None)
        self._attributes[semconv.ERROR_TYPE] = type(error).__name__
        self.end()

    @failsafe
    def end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._duration.record(perf_counter() - self._started, self._attributes)


class _MeasuredBody:
    """A response's body that ends its request when it is read, fails or is closed."""

    def __init__(self, body: Any, request: _ClientRequest) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except _TRUNCATED as error:
            self._request.fail(error)
            raise
        self._request.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except _TRUNCATED as error:
            self._request.fail(error)
            raise
        self._request.end()

    def close(self) -> None:
        self._request.end()
        self._body.close()

    async def aclose(self) -> None:
        self._request.end()
        await self._body.aclose()


class HTTPClientInstrumentor(BaseInstrumentor):
    """Wraps the transports, so that every client of the process is measured, however it was created."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("httpx >= 0.27",)

    def _instrument(self, **kwargs: Any) -> None:
        meter = metrics.get_meter(__name__)
        duration = kwargs.get("duration") or meter.create_histogram(semconv.HTTP_CLIENT_DURATION, unit="s")
        directory: ServiceDirectory = kwargs.get("directory") or ServiceDirectory()

        def start(request: Any) -> _ClientRequest:
            return _ClientRequest(duration, directory.find(str(request.url)), request.method)

        for library in _installed():
            body = _body_class(library)
            wrap_function_wrapper(library, "HTTPTransport.handle_request", _measure(start, body))
            wrap_function_wrapper(library, "AsyncHTTPTransport.handle_async_request", _measure_async(start, body))

    def _uninstrument(self, **_kwargs: Any) -> None:
        for library in _installed():
            unwrap(library.HTTPTransport, "handle_request")
            unwrap(library.AsyncHTTPTransport, "handle_async_request")


def _installed() -> list[ModuleType]:
    return [import_module(name) for name in LIBRARIES if find_spec(name)]


def _body_class(library: ModuleType) -> type[_MeasuredBody]:
    """The library checks a body's type: it must be one of its own streams."""
    return type("MeasuredBody", (_MeasuredBody, library.SyncByteStream, library.AsyncByteStream), {})


def _measure(start: Callable[[Any], _ClientRequest], body: type[_MeasuredBody]) -> Callable[..., Any]:
    def handle_request(wrapped: Any, _transport: Any, args: Any, kwargs: Any) -> Any:
        request = start(args[0] if args else kwargs["request"])
        try:
            response = wrapped(*args, **kwargs)
        except BaseException as error:
            request.fail(error)
            raise
        request.set_status(response.status_code)
        response.stream = body(response.stream, request)
        return response

    return handle_request


def _measure_async(start: Callable[[Any], _ClientRequest], body: type[_MeasuredBody]) -> Callable[..., Any]:
    async def handle_request(wrapped: Any, _transport: Any, args: Any, kwargs: Any) -> Any:
        request = start(args[0] if args else kwargs["request"])
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            request.fail(error)
            raise
        request.set_status(response.status_code)
        response.stream = body(response.stream, request)
        return response

    return handle_request


class ClientSpans:
    """Hooks for the published instrumentation: a span names the service and the endpoint, never the requested URL."""

    def __init__(self, directory: ServiceDirectory) -> None:
        self._directory = directory

    @failsafe
    def request_hook(self, span: Span, request: Any) -> None:
        if not span.is_recording():
            return
        endpoint = self._directory.find(str(request.url))
        method = request.method.decode() if isinstance(request.method, bytes) else str(request.method)
        span.update_name(f"{method} {endpoint.template}")
        span.set_attributes({semconv.URL_TEMPLATE: endpoint.template, semconv.PEER_SERVICE: endpoint.service})
        for url in {semconv.URL_FULL, *_OLD_URLS.intersection(getattr(span, "attributes", None) or ())}:
            span.set_attribute(url, endpoint.public_url)

    async def async_request_hook(self, span: Span, request: Any) -> None:
        self.request_hook(span, request)
