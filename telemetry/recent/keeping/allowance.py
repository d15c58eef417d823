"""A token bucket: so much a second, and more at once after a quiet time."""

from collections.abc import Callable


class Allowance:
    """For one thread."""

    def __init__(self, per_second: float, at_once: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._clock = clock
        self._left = at_once
        self._filled_at = clock()

    def take(self, cost: float = 1.0) -> bool:
        """Whether so much is left. It is taken then."""
        now = self._clock()
        self._left = min(self._at_once, self._left + max(0.0, now - self._filled_at) * self._per_second)
        self._filled_at = now
        if cost > self._left:
            return False
        self._left -= cost
        return True
