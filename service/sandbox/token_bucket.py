"""A token bucket: the rate limit of a service for one account."""

import math
import time
from collections.abc import Callable


class TokenBucket:
    """`burst` calls at once, and one more each `interval` seconds. `clock` returns monotonic seconds."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval = interval
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._refilled_at = clock()

    def acquire(self, count: int = 1) -> float:
        """Take `count` tokens. Returns 0.0, or the seconds until there are enough, and then takes none."""
        self._refill()
        if self._tokens >= count - 1e-9:
            self._tokens -= count
            return 0.0
        return (count - self._tokens) * self.interval

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(float(self.burst), self._tokens + (now - self._refilled_at) / self.interval)
        self._refilled_at = now

    @property
    def remaining(self) -> int:
        self._refill()
        return math.floor(self._tokens + 1e-9)

    @property
    def until_full(self) -> float:
        self._refill()
        return (self.burst - self._tokens) * self.interval
