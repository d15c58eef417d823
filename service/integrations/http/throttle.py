"""Throttle: a call waits for its place among all who call for an account, and gives way when it was refused."""

import random
from collections.abc import Callable
from typing import Final

from service.integrations.http.errors import CallError, RateLimited
from service.integrations.http.rate_limiter import RateLimit, RateLimiter, timestamp_in
from service.names import BACKOFF, RATE_LIMIT

_MAX_BACKOFF_SECONDS: Final = 30.0
Wait = Callable[[float, str], None]
"""Waits so many seconds, for a reason of a closed set, or raises because the service is stopping."""


class Throttle:
    def __init__(self, service: str, pace: RateLimiter, wait: Wait) -> None:
        self._service = service
        self._pace = pace
        self._wait = wait

    def take(self, limit: RateLimit, patience: float) -> float:
        """Wait for the next place. Returns the seconds that it took.

        Raises:
            RateLimited: it comes later than the patience lasts, and is not taken.
        """
        turn = self._pace.reserve(limit, max(0.0, patience))
        if not turn.mine:
            raise RateLimited(self._service, timestamp_in(turn.wait))
        if turn.wait > 0:
            self._wait(turn.wait, RATE_LIMIT)
        return turn.wait

    def heed(self, limit: RateLimit, error: CallError) -> None:
        """Whoever calls for this account waits as long as the service has said, also when this call is given up."""
        if error.retry_after is not None:
            self._pace.block(limit, error.retry_after)

    def back_off(self, error: CallError, attempt: int, patience: float) -> float:
        """Where the service has not said how long, wait a little longer each time. Returns the seconds that it took.

        Raises:
            CallError: the error, when the wait is longer than the patience lasts.
        """
        if error.retry_after is not None:
            return 0.0  # the turn is waited for
        seconds = min(_MAX_BACKOFF_SECONDS, 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
        if seconds > patience:
            raise error
        self._wait(seconds, BACKOFF)
        return seconds
