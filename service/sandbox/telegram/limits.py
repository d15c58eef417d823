"""Telegram's flood control.

One message a second for a chat, twenty a minute for a group, thirty a second in all. Beyond that, the caller must wait.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from service.sandbox.token_bucket import TokenBucket

_MIN_WAIT_SECONDS: Final = 5.0
_MAX_WAIT_SECONDS: Final = 60.0
_WAIT_RESET_SECONDS: Final = 60.0


class SlidingWindow:
    """At most `count` in any period of `seconds`. A token bucket would let more through at times."""

    def __init__(self, count: int, seconds: float, clock: Callable[[], float]) -> None:
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._acquired_at: deque[float] = deque()

    def acquire(self) -> float:
        """Count one message. Returns 0.0 if it is allowed, else the seconds until one is."""
        if self.remaining:
            self._acquired_at.append(self._clock())
            return 0.0
        return self._acquired_at[0] + self._seconds - self._clock()

    @property
    def remaining(self) -> int:
        while self._acquired_at and self._acquired_at[0] + self._seconds <= self._clock():
            self._acquired_at.popleft()
        return self._count - len(self._acquired_at)


class FloodGate:
    """Closes when a limit is exceeded, and stays closed for the wait. Waits that follow each other grow."""

    def __init__(self, limits: Sequence[TokenBucket | SlidingWindow], clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._closed_until = clock()
        self._wait = 0.0

    def acquire(self) -> int:
        """Count one message. Returns 0 if it is allowed, else the whole seconds to wait."""
        closed = self._closed_until - self._clock()
        if closed > 0:
            return math.ceil(closed)
        exhausted = [limit for limit in self._limits if not limit.remaining]
        needed = max(limit.acquire() for limit in exhausted or self._limits)
        return self._close(needed) if exhausted else 0

    def _close(self, needed: float) -> int:
        now = self._clock()
        recent = self._wait > 0 and now - self._closed_until < _WAIT_RESET_SECONDS
        self._wait = min(max(2 * self._wait if recent else _MIN_WAIT_SECONDS, needed), _MAX_WAIT_SECONDS)
        self._closed_until = now + self._wait
        return math.ceil(self._wait)


class FloodControl:
    """The limits of all chats."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._total = FloodGate([TokenBucket(1 / 30, 30, clock)], clock)
        self._chats: dict[int, FloodGate] = {}

    def acquire(self, chat_id: int) -> int:
        """Count one message to a chat. Returns 0 if it is allowed, else the whole seconds to wait."""
        if chat_id not in self._chats:
            self._chats[chat_id] = FloodGate(self._limits(chat_id), self._clock)
        return self._chats[chat_id].acquire() or self._total.acquire()

    def _limits(self, chat_id: int) -> list[TokenBucket | SlidingWindow]:
        group_limits = [SlidingWindow(20, 60.0, self._clock)] if chat_id < 0 else []
        return [TokenBucket(1.0, 3, self._clock), *group_limits]
