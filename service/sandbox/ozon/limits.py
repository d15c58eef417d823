"""Ozon's rate limit of a Client-Id, and its circuit breaker for clients that ignore the limit."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from service.sandbox.ozon import errors
from service.sandbox.token_bucket import TokenBucket

MAX_REFUSALS: Final = 20
_REFUSALS_SECONDS: Final = 10.0
_OPEN_SECONDS: Final = 5.0


class ClientLimit:
    """The limit of one Client-Id. After `MAX_REFUSALS` refusals within ten seconds, no call is served for five seconds."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._bucket = TokenBucket(1 / per_second, max(1, int(per_second)), clock)
        self._clock = clock
        self._refused_at: deque[float] = deque(maxlen=MAX_REFUSALS)
        self._open_until = -math.inf

    def check(self) -> Response | None:
        """Count a call. Returns the refusal, or None if the call is allowed."""
        now = self._clock()
        if now < self._open_until:
            return errors.circuit_open()
        wait = self._bucket.acquire()
        if not wait:
            return None
        self._record_refusal(now)
        return errors.rate_limited(self._per_second, math.ceil(wait))

    def _record_refusal(self, now: float) -> None:
        self._refused_at.append(now)
        if len(self._refused_at) == MAX_REFUSALS and now - self._refused_at[0] <= _REFUSALS_SECONDS:
            self._open_until = now + _OPEN_SECONDS
            self._refused_at.clear()

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each response."""
        return {"ratelimit-remaining": str(self._bucket.remaining)}
