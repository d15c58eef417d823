"""The limit that Ozon keeps for a Client-Id, and the circle that opens for one that goes on calling."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from service.sandbox.ozon import errors
from service.sandbox.token_bucket import TokenBucket

MAX_REFUSALS: Final = 20
_WITHIN: Final = 10.0
_OPEN_FOR: Final = 5.0


class ClientLimit:
    """Of one Client-Id: the sandbox has one. After `MAX_REFUSALS` refusals within ten seconds nothing is served for five."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._bucket = TokenBucket(1 / per_second, max(1, int(per_second)), clock)
        self._clock = clock
        self._refused: deque[float] = deque(maxlen=MAX_REFUSALS)
        self._open_until = -math.inf

    def refusal(self) -> Response | None:
        """None for a call that may go through."""
        now = self._clock()
        if now < self._open_until:
            return errors.circuit_open()
        wait = self._bucket.acquire()
        if not wait:
            return None
        self._note(now)
        return errors.rate_limited(self._per_second, math.ceil(wait))

    def _note(self, now: float) -> None:
        self._refused.append(now)
        if len(self._refused) == MAX_REFUSALS and now - self._refused[0] <= _WITHIN:
            self._open_until = now + _OPEN_FOR
            self._refused.clear()

    @property
    def headers(self) -> dict[str, str]:
        return {"ratelimit-remaining": str(self._bucket.remaining)}
