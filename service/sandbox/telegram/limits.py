"""Telegram's flood limits: a message a second for a chat, twenty a minute for a group, thirty a second in all; then a wait."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from service.sandbox.token_bucket import TokenBucket

_FIRST_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 60.0
_FORGOTTEN_AFTER: Final = 60.0


class Window:
    """So many in any span of so many seconds: unlike a bucket, it never lets more through."""

    def __init__(self, count: int, seconds: float, clock: Callable[[], float]) -> None:
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> float:
        """0.0 when one may go through; else the seconds until one may."""
        if self.remaining:
            self._taken.append(self._clock())
            return 0.0
        return self._taken[0] + self._seconds - self._clock()

    @property
    def remaining(self) -> int:
        while self._taken and self._taken[0] + self._seconds <= self._clock():
            self._taken.popleft()
        return self._count - len(self._taken)


class Gate:
    """It closes when there is too much, and stays closed until the wait is over; the waits grow while they follow each other."""

    def __init__(self, limits: Sequence[TokenBucket | Window], clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._closed_until = clock()
        self._wait = 0.0

    def pass_through(self) -> int:
        """0, or the whole seconds to wait."""
        closed = self._closed_until - self._clock()
        if closed > 0:
            return math.ceil(closed)
        full = [limit for limit in self._limits if not limit.remaining]
        needed = max(limit.take() for limit in full or self._limits)
        return self._close(needed) if full else 0

    def _close(self, needed: float) -> int:
        now = self._clock()
        recent = self._wait > 0 and now - self._closed_until < _FORGOTTEN_AFTER
        self._wait = min(max(2 * self._wait if recent else _FIRST_WAIT, needed), _LONGEST_WAIT)
        self._closed_until = now + self._wait
        return math.ceil(self._wait)


class Flood:
    """The gates of all chats."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all = Gate([TokenBucket(1 / 30, 30, clock)], clock)
        self._chats: dict[int, Gate] = {}

    def wait(self, chat_id: int) -> int:
        """0 for a message that may be sent, or the whole seconds that the chat has to wait."""
        if chat_id not in self._chats:
            self._chats[chat_id] = Gate(self._limits(chat_id), self._clock)
        return self._chats[chat_id].pass_through() or self._all.pass_through()

    def _limits(self, chat_id: int) -> list[TokenBucket | Window]:
        of_group = [Window(20, 60.0, self._clock)] if chat_id < 0 else []
        return [TokenBucket(1.0, 3, self._clock), *of_group]
