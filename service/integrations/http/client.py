"""HTTP: the one client for calls out, paced by account, bounded in time and size, repeated only where that is safe."""

import json
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any, Final

import httpx
import ijson

from service.integrations.http.errors import CallError, Misconfigured, TooManyRequests, Unreachable, Unreadable
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.http.throttle import Throttle, Wait
from service.integrations.http.transport import MAX_RESPONSE_BYTES, TOTAL_TIMEOUT, BoundedTransport, proxy_for

ATTEMPTS: Final = 5
_REFUSALS: Final = 30  # "too many requests" is an answer, not a failure: it is bounded by the patience, and by this
MAX_WAIT_SECONDS: Final = 300.0
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=15.0, pool=5.0)
_IN_MEMORY: Final = 2**20
_CHUNK: Final = 2**16
_TEXT: Final = 100_000
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call. What is in braces in the endpoint is filled from `path`, and is never told to anybody.

    Attributes:
        repeatable: a second time has no effect that the first had not.
        deadline: seconds that one attempt may take as a whole.
    """

    method: str
    endpoint: str
    limit: RateLimit
    params: Mapping[str, Any] = field(default_factory=dict)
    json: object | None = None
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = True
    deadline: float = 60.0


class ApiResponse:
    """What came back, its body in a file that is on the disk when it is large."""

    def __init__(self, status: int, headers: Mapping[str, str], body: IO[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        weakref.finalize(self, body.close)

    def text(self) -> str:
        self._body.seek(0)
        return self._body.read(_TEXT).decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises:
        Unreadable: it is no JSON.
        """
        self._body.seek(0)
        try:
            return json.load(self._body)
        except (ValueError, RecursionError):
            raise Unreadable("The answer is not JSON.") from None

    def object(self) -> dict[str, Any]:
        """Raises:
        Unreadable: it is no JSON object.
        """
        if not isinstance(found := self.json(), dict):
            raise Unreadable("The answer is JSON, but no object.")
        return found

    def rows(self) -> Iterator[Any]:
        """The elements of a JSON array, one after the other, however many there are; a number with a point is a Decimal.

        Raises:
            Unreadable: it is no array, or was cut; when the elements until there have been given.
        """
        self._body.seek(0)
        if self._body.read(_CHUNK).lstrip()[:1] != b"[":
            raise Unreadable("The answer is no JSON array.")
        self._body.seek(0)
        try:
            yield from ijson.items(self._body, "item")
        except (ijson.JSONError, UnicodeDecodeError):
            raise Unreadable("The answer is not a whole JSON array.") from None


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """One API and one account of it. `refusal` makes the error of an answer that is not 2xx.

    Attributes:
        check: looks at an answer of status 2xx, and raises what is wrong with it all the same.
    """

    service: str
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    refusal: Callable[[ApiResponse], CallError]
    check: Callable[[ApiResponse], None] = lambda _answer: None


class ApiClient:
    """Calls one API. Safe in several threads; `patience` is how long a call may wait for its turn, in seconds, in all."""

    def __init__(self, api: ApiDescription, pace: RateLimiter, wait: Wait, patience: float = MAX_WAIT_SECONDS) -> None:
        self.api = api
        self.patience = patience
        self._turns = Throttle(api.service, pace, wait)
        headers = httpx.Headers({name: _sendable(value) for name, value in api.headers.items()}, encoding="utf-8")
        self._client = httpx.Client(
            transport=BoundedTransport(proxy=proxy_for(api.base_url)), headers=headers, timeout=_TIMEOUT
        )

    def close(self) -> None:
        self._client.close()

    def call(self, call: ApiCall, patience: float | None = None) -> ApiResponse:
        """ApiCall until it is answered, as often as makes sense.

        Raises:
            Paused: the next call may begin later than the patience lasts.
            CallError: what the service said, or that it said nothing.
        """
        left, failures = self.patience if patience is None else patience, 0
        for attempt in range(1, _REFUSALS + 1):
            left -= self._turns.take(call.limit, left)
            try:
                return self._attempt(call)
            except CallError as error:
                self._turns.heed(call.limit, error)
                failures += not isinstance(error, TooManyRequests)
                if not _may_repeat(error, call) or failures == ATTEMPTS or attempt == _REFUSALS:
                    raise
                left -= self._turns.back_off(error, attempt, left)
        raise AssertionError("unreachable")

    def _attempt(self, call: ApiCall) -> ApiResponse:
        body = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # the answer keeps it
        try:
            answer = self._fetch(call, body)
        except httpx.HTTPError as error:
            body.close()
            raise _unreachable(self.api.service, call, error) from None  # an error of httpx may hold the URL
        if answer.status >= _SERVER_ERROR:
            raise self._failed(call, answer)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  # they are what they are
            raise self.api.refusal(answer)
        self.api.check(answer)
        return answer

    def _fetch(self, call: ApiCall, body: IO[bytes]) -> ApiResponse:
        url = self.api.base_url.rstrip("/") + call.endpoint.format(**call.path)
        request = self._client.build_request(
            call.method,
            url,
            params=dict(call.params) or None,
            json=call.json,
            extensions={TOTAL_TIMEOUT: time.monotonic() + call.deadline, "timeout": _TIMEOUT.as_dict()},
        )
        with closing(self._client.send(request, stream=True)) as response:
            for chunk in response.iter_bytes(_CHUNK):
                body.write(chunk)
                if body.tell() > MAX_RESPONSE_BYTES:
                    raise httpx.DecodingError("The answer is too long when it is decompressed.", request=request)
        return ApiResponse(response.status_code, response.headers, body)

    def _failed(self, call: ApiCall, answer: ApiResponse) -> Unreachable:
        asked = retry_after_seconds(answer.headers, "retry-after")
        return Unreachable(
            f"{self.api.service} answered {call.endpoint} with {answer.status}.", reached=True, retry_after=asked
        )


def _sendable(credential: str) -> str:
    """Without the line breaks that came along when it was pasted. Any other slip is the service's to refuse."""
    return "".join(filter(str.isprintable, credential)).strip()


def _may_repeat(error: CallError, call: ApiCall) -> bool:
    return error.retryable and (call.repeatable or not error.reached)


def _unreachable(service: str, call: ApiCall, error: httpx.HTTPError) -> CallError:
    if isinstance(error, httpx.DecodingError):
        return Unreadable(f"{service} answered {call.endpoint} with a body that cannot be decompressed.")
    if isinstance(error, httpx.UnsupportedProtocol):
        return Misconfigured(f"{service} cannot be asked: look at its URL, which is none.")
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    how = "timed out" if isinstance(error, httpx.TimeoutException) else f"failed ({type(error).__name__})"
    return Unreachable(f"{service} could not be asked: {call.endpoint} {how}.", reached=not never_sent)


def retry_after_seconds(headers: Mapping[str, str], *names: str) -> float | None:
    """The first of the headers that is a number of seconds; they may be fractional, absent or nonsense."""
    for name in names:
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def rate_limited(service: str, answer: ApiResponse, *headers: str) -> TooManyRequests | None:
    """The error of a 429, with the wait that the first of these headers asks for."""
    return (
        TooManyRequests(service, retry_after_seconds(answer.headers, *headers)) if answer.status == _TOO_MANY else None
    )
