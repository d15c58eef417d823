"""A token bucket: the limit that a marketplace keeps for an account."""

import math
import time
from collections.abc import Callable


class TokenBucket:
    """`burst` calls at once, and one more each `interval` seconds."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval = interval
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self, count: int = 1) -> float:
        """0.0 when the call may go through, for `count` calls' worth; else the seconds until it may."""
        self._refill()
        if self._tokens >= count - 1e-9:
            self._tokens -= count
            return 0.0
        return (count - self._tokens) * self.interval

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(float(self.burst), self._tokens + (now - self._at) / self.interval)
        self._at = now

    @property
    def remaining(self) -> int:
        self._refill()
        return math.floor(self._tokens + 1e-9)

    @property
    def until_full(self) -> float:
        self._refill()
        return (self.burst - self._tokens) * self.interval
