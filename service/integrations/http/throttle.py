"""Throttle: waits for the rate limit before each call, and backs off after failures."""

import random
from collections.abc import Callable
from typing import Final

from service.integrations.http.errors import CallError, RateLimited
from service.integrations.http.rate_limiter import RateLimit, RateLimiter, timestamp_in
from service.names import BACKOFF, RATE_LIMIT

_MAX_BACKOFF_SECONDS: Final = 30.0
Wait = Callable[[float, str], None]
"""Sleeps for some seconds; the reason is RATE_LIMIT or BACKOFF. Raises ShutdownRequested when the service stops."""


class Throttle:
    """The waits of calls to one service: for the rate limit, for Retry-After, and between retries."""

    def __init__(self, service: str, rate_limiter: RateLimiter, wait: Wait) -> None:
        self._service = service
        self._rate_limiter = rate_limiter
        self._wait = wait

    def acquire(self, limit: RateLimit, patience: float) -> float:
        """Reserve the next call and wait for it.

        Args:
            limit: the rate limit of the account.
            patience: the maximum wait in seconds.

        Returns:
            The seconds waited.

        Raises:
            RateLimited: the wait would be longer than `patience`. Nothing is reserved.
        """
        reservation = self._rate_limiter.reserve(limit, max(0.0, patience))
        if not reservation.granted:
            raise RateLimited(self._service, timestamp_in(reservation.wait))
        if reservation.wait > 0:
            self._wait(reservation.wait, RATE_LIMIT)
        return reservation.wait

    def apply_retry_after(self, limit: RateLimit, error: CallError) -> None:
        """Block all callers of the account for as long as the service asked, even if this call gives up."""
        if error.retry_after is not None:
            self._rate_limiter.block(limit, error.retry_after)

    def back_off(self, error: CallError, attempt: int, patience: float) -> float:
        """Wait exponentially longer after each attempt, unless the service said how long (`apply_retry_after`).

        Returns:
            The seconds waited.

        Raises:
            CallError: `error` itself, if the wait would be longer than `patience`.
        """
        if error.retry_after is not None:
            return 0.0
        seconds = min(_MAX_BACKOFF_SECONDS, 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
        if seconds > patience:
            raise error
        self._wait(seconds, BACKOFF)
        return seconds
