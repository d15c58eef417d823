"""`http.server.request.duration`: the series of a request, found at once by its method, route, status, scheme and version."""

from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram

from telemetry import semconv
from telemetry.costs.cost_ledger import LEDGER, ROUTE
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT
from telemetry.metrics.measuring.limited_instruments import LimitedHistogram

SERVER_ERROR: Final = 500
MIN_STATUS: Final = 100
MAX_STATUS: Final = 599
SCHEMES: Final = ("http", "https")  # by whether the scheme is https
SPAN_NAMES: Final = {semconv.OTHER_METHOD: "HTTP"}
"""The name of the span of a request without a route, by its method; otherwise it is the method."""
Status = int | str | None
"""What a server was given to write, or how a response failed: `semconv.CLIENT_DISCONNECTED` or `RESPONSE_INCOMPLETE`."""
Key = tuple[str, str | None, Status, bool, str]
"""The method, the route, the status, whether the scheme is https, and the version of the protocol."""
FAILED_ANSWERS: Final[Mapping[Status, int]] = {semconv.CLIENT_DISCONNECTED: 499, semconv.RESPONSE_INCOMPLETE: 500}
"""The status of a response that did not reach its client as a whole, whatever status it began with."""
_VERSIONS: Final = frozenset({"1.0", "1.1", "2", "3"})


class RequestSeries:
    """The series of all requests of one method, route, status, scheme and version of the protocol.

    Attributes:
        cost: what all requests of the route cost.
        record: records the duration of a request in a context, and whether that is sampled.
        outcome: the attributes of a span that are known at its end only.
        span_name: the name of a span, with the route.
        is_error: whether a span has failed: the response is an error of the server, or is not complete.
    """

    __slots__ = ("_attributes", "_histogram", "cost", "is_error", "outcome", "record", "span_name")

    def __init__(self, histogram: Histogram, key: Key) -> None:
        method, route, status, is_secure, version = key
        outcome: dict[str, str | int] = {}
        if route:
            outcome[semconv.HTTP_ROUTE] = route
        code, error = _outcome(status)
        outcome[semconv.HTTP_STATUS_CODE] = code
        if error:
            outcome[semconv.ERROR_TYPE] = error
        name = SPAN_NAMES.get(method, method)
        self.record: Callable[[float, Context, bool], None] = self._record_first
        self.cost = LEDGER.total(ROUTE, route or semconv.UNMATCHED)
        self.outcome = outcome
        self.is_error = code >= SERVER_ERROR
        self.span_name = f"{name} {route}" if route else name
        self._attributes = {semconv.HTTP_METHOD: method, semconv.URL_SCHEME: SCHEMES[is_secure], **outcome}
        if version in _VERSIONS:
            self._attributes[semconv.PROTOCOL_VERSION] = version
        self._histogram = histogram

    def _record_first(self, seconds: float, context: Context, is_sampled: bool) -> None:  # noqa: ARG002, FBT001  # as the others
        self._histogram.record(seconds, self._attributes, context)
        if isinstance(self._histogram, LimitedHistogram) and (bound := self._histogram.bound(self._attributes)):
            self.record = bound.record


def _outcome(status: Status) -> tuple[int, str]:
    """The status code of a response, and the type of its error. A status that HTTP does not have is none that a client got."""
    if isinstance(status, int) and MIN_STATUS <= status <= MAX_STATUS:
        return int(status), str(int(status)) if status >= SERVER_ERROR else ""
    error = str(status) if status in FAILED_ANSWERS else semconv.RESPONSE_INCOMPLETE
    return FAILED_ANSWERS[error], error


class RequestDurations(dict[Key, RequestSeries]):
    """The series of one histogram, up to the limit of label sets; what is over it is put together each time."""

    def __init__(self, histogram: Histogram) -> None:
        super().__init__()
        self._histogram = histogram

    def __missing__(self, key: Key) -> RequestSeries:
        series = RequestSeries(self._histogram, key)
        if len(self) < CARDINALITY_LIMIT:
            self[key] = series
        return series
