"""HTTP client for external APIs: rate-limited per account, bounded in time and size, with safe retries."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any, Final

import httpx

from service.integrations.http.api_response import CHUNK_BYTES, ApiResponse, is_success
from service.integrations.http.errors import CallError, Misconfigured, TooManyRequests, Unreachable, Unreadable
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.http.throttle import Throttle, Wait
from telemetry.environment.proxies import proxy_for, through_proxy
from telemetry.http_client.foreign_values import retry_after_seconds
from telemetry.http_client.transport import DEADLINE_EXTENSION, BoundedTransport

MAX_FAILURES: Final = 5
_MAX_ATTEMPTS: Final = 30  # a 429 is not counted as a failure: the patience and this number bound those
MAX_WAIT_SECONDS: Final = 300.0
MAX_RESPONSE_BYTES: Final = 512 * 2**20
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=15.0, pool=5.0)
_MAX_BYTES_IN_MEMORY: Final = 2**20
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call. Placeholders of the endpoint are filled from `path`, whose values stay out of telemetry and errors.

    Attributes:
        repeatable: the call is idempotent.
        timeout: the seconds that one attempt may take in total.
    """

    method: str
    endpoint: str
    limit: RateLimit
    params: Mapping[str, Any] = field(default_factory=dict)
    json: object | None = None
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = True
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """One API and one account of it.

    Attributes:
        error_from: makes the error of a 3xx or 4xx response.
        check: raises if a 2xx response is an error all the same.
    """

    service: str
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    error_from: Callable[[ApiResponse], CallError]
    check: Callable[[ApiResponse], None] = lambda _response: None


class ApiClient:
    """Calls one API. Thread-safe.

    Attributes:
        api: the API and the account.
        patience: the seconds that one call may wait in total, for the rate limit and between retries.
    """

    def __init__(
        self,
        api: ApiDescription,
        rate_limiter: RateLimiter,
        wait: Wait,
        patience: float = MAX_WAIT_SECONDS,
        on_unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_unreadable` is called for each response that is a success by its status, and cannot be read."""
        self.api = api
        self.patience = patience
        self._on_unreadable = on_unreadable
        self._throttle = Throttle(api.service, rate_limiter, wait)
        headers = httpx.Headers({name: _sendable(value) for name, value in api.headers.items()}, encoding="utf-8")
        self._client = httpx.Client(
            transport=BoundedTransport(MAX_RESPONSE_BYTES, proxy_for(api.base_url)), headers=headers, timeout=_TIMEOUT
        )

    def close(self) -> None:
        self._client.close()

    def call(self, call: ApiCall, patience: float | None = None) -> ApiResponse:
        """Send the call, and retry where that is safe and useful.

        Args:
            call: the call.
            patience: overrides the client's own, in seconds.

        Raises:
            RateLimited: the rate limit would make the call wait longer than the patience.
            CallError: the service rejected the call, or could not be reached.
        """
        remaining, failures = self.patience if patience is None else patience, 0
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            remaining -= self._throttle.acquire(call.limit, remaining)
            try:
                return self._attempt(call)
            except CallError as error:
                self._throttle.apply_retry_after(call.limit, error)
                failures += not isinstance(error, TooManyRequests)
                if not _may_repeat(error, call) or failures == MAX_FAILURES or attempt == _MAX_ATTEMPTS:
                    raise
                remaining -= self._throttle.back_off(error, attempt, remaining)
        raise AssertionError("unreachable")

    def _attempt(self, call: ApiCall) -> ApiResponse:
        body = tempfile.SpooledTemporaryFile(max_size=_MAX_BYTES_IN_MEMORY)  # noqa: SIM115  # the response keeps it
        try:
            response = self._fetch(call, body)
        except httpx.HTTPError as error:
            body.close()
            raise _unreachable(self.api, call, error) from None  # an error of httpx may hold the URL
        if response.status >= _SERVER_ERROR:
            raise self._server_error(call, response)
        if not is_success(response.status):
            raise self.api.error_from(response)
        self.api.check(response)
        return response

    def _fetch(self, call: ApiCall, body: IO[bytes]) -> ApiResponse:
        url = self.api.base_url.rstrip("/") + call.endpoint.format(**call.path)
        request = self._client.build_request(
            call.method,
            url,
            params=dict(call.params) or None,
            json=call.json,
            extensions={DEADLINE_EXTENSION: time.monotonic() + call.timeout, "timeout": _TIMEOUT.as_dict()},
        )
        with closing(self._client.send(request, stream=True)) as response:
            for chunk in response.iter_bytes(CHUNK_BYTES):
                body.write(chunk)
                if body.tell() > MAX_RESPONSE_BYTES:
                    raise httpx.DecodingError("The response is too long when it is decompressed.", request=request)
        return ApiResponse(response.status_code, response.headers, body, self._on_unreadable)

    def _server_error(self, call: ApiCall, response: ApiResponse) -> Unreachable:
        retry_after = retry_after_seconds(response.headers, "retry-after")
        return Unreachable(
            f"{self.api.service} answered {call.endpoint} with {response.status}.",
            may_have_applied=True,
            retry_after=retry_after,
        )


def _sendable(credential: str) -> str:
    """Remove line breaks and other characters that a header cannot have; the service rejects any other mistake."""
    return "".join(filter(str.isprintable, credential)).strip()


def _may_repeat(error: CallError, call: ApiCall) -> bool:
    return error.retryable and (call.repeatable or not error.may_have_applied)


def _unreachable(api: ApiDescription, call: ApiCall, error: httpx.HTTPError) -> CallError:
    service = api.service
    if isinstance(error, httpx.DecodingError):
        return Unreadable(f"{service} answered {call.endpoint} with a body that cannot be decompressed.")
    if isinstance(error, httpx.UnsupportedProtocol):
        return Misconfigured(f"{service} cannot be called: its URL is invalid.")
    never_sent = isinstance(error, _NEVER_SENT)
    how = "timed out" if isinstance(error, httpx.TimeoutException) else f"failed ({type(error).__name__})"
    how += through_proxy(api.base_url)
    return Unreachable(f"{service} is unavailable: {call.endpoint} {how}.", may_have_applied=not never_sent)


def rate_limited(service: str, response: ApiResponse, *headers: str) -> TooManyRequests | None:
    """The error of a 429, with the wait that the first of these headers asks for; None for any other status."""
    return (
        TooManyRequests(service, retry_after_seconds(response.headers, *headers))
        if response.status == _TOO_MANY_REQUESTS
        else None
    )
