"""`http.server.request.duration`: the series of a request, found at once by its method, route, status and scheme."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram

from telemetry import semconv
from telemetry.metrics.cardinality import CARDINALITY_LIMIT, BoundHistogram, LimitedHistogram

SERVER_ERROR: Final = 500
Key = tuple[str, str | None, int | None, bool]


class RequestSeries:
    """The series of all requests of one method, route, status and scheme.

    Attributes:
        outcome: the attributes of a span that are known at its end only.
        span_name: the name of a span, with the route.
        is_error: whether a span has failed: there was no response, or it says so.
    """

    __slots__ = ("_attributes", "_bound", "_histogram", "is_error", "outcome", "span_name")

    def __init__(self, histogram: Histogram, key: Key) -> None:
        method, route, status, is_secure = key
        outcome: dict[str, str | int] = {}
        if route:
            outcome[semconv.HTTP_ROUTE] = route
        if status is not None:
            outcome[semconv.HTTP_STATUS_CODE] = status
            if status >= SERVER_ERROR:
                outcome[semconv.ERROR_TYPE] = str(status)
        self.outcome = outcome
        self.is_error = status is None or status >= SERVER_ERROR
        self.span_name = span_name(method, route)
        self._attributes = {semconv.HTTP_METHOD: method, semconv.URL_SCHEME: scheme(is_secure=is_secure), **outcome}
        self._histogram = histogram
        self._bound: BoundHistogram | None = None

    def record(self, seconds: float, context: Context, *, is_sampled: bool) -> None:
        """Record the duration of a request, in its trace."""
        if self._bound is not None:
            self._bound.record(seconds, context, is_sampled=is_sampled)
            return
        self._histogram.record(seconds, self._attributes, context)
        if isinstance(self._histogram, LimitedHistogram):
            self._bound = self._histogram.bound(self._attributes)


class RequestDurations:
    """The series of one histogram, up to the limit of label sets; what is over it is put together each time."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._series: dict[Key, RequestSeries] = {}

    def series(self, key: Key) -> RequestSeries:
        """The series of a method, a route, a status and of whether the scheme is https."""
        try:
            return self._series[key]
        except KeyError:
            series = RequestSeries(self._histogram, key)
            if len(self._series) < CARDINALITY_LIMIT:
                self._series[key] = series
            return series


def span_name(method: str, route: str | None = None) -> str:
    """The name of the span of a request, as OpenTelemetry's conventions for HTTP have it."""
    method = method if method != semconv.OTHER_METHOD else "HTTP"
    return f"{method} {route}" if route else method


def scheme(*, is_secure: bool) -> str:
    return "https" if is_secure else "http"
