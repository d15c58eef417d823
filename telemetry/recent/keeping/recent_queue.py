"""The queue between the threads that work and the one that writes: bounded in number and bytes, and without a lock.

A signal handler or a finalizer may log between any two steps, so that no lock is taken here. Two threads that put at once may
count the bytes wrongly; that is corrected whenever the queue is empty.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

from telemetry.processes import forks
from telemetry.recent.drops import FULL, Drops

CAPACITY: Final = 8192
MAX_BYTES: Final = 16 * 1024 * 1024


class LoggedRecord(NamedTuple):
    """A copied record, and the span that it was logged in: 0 and 0 outside of any."""

    record: logging.LogRecord
    trace_id: int
    span_id: int


Item: TypeAlias = ReadableSpan | LoggedRecord


class RecentQueue(forks.ForkAware):
    """In a forked child it is empty, and starts the thread of its reader with the first item.

    Attributes:
        capacity: the greatest number of items.
    """

    capacity = CAPACITY

    def __init__(self, drops: Drops, start_reader: Callable[[], None]) -> None:
        self._drops = drops
        self._start_reader = start_reader
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._has_reader = True
        self._is_closed = False
        forks.register(self)

    def restart_in_child(self) -> None:
        self._items, self._bytes, self._has_reader = deque(), 0, False
        self._drops.clear()

    @property
    def size(self) -> int:
        return len(self._items)

    def put(self, item: Item, size: int, kind: str) -> None:
        """Append an item of about `size` bytes, or count it as dropped."""
        if self._is_closed:
            return
        if len(self._items) >= CAPACITY or self._bytes + size > MAX_BYTES:
            self._drops.count(kind, FULL)
            return
        self._bytes += size
        self._items.append((item, size))
        if not self._has_reader:
            self._has_reader = True
            self._start_reader()

    def drain(self) -> list[Item]:
        """Take what is in the queue now. For one thread at a time."""
        drained = [self._items.popleft() for _ in range(len(self._items))]
        self._bytes -= sum(size for _, size in drained)
        if not self._items:
            self._bytes = 0
        return [item for item, _ in drained]

    def close(self) -> None:
        """Take nothing any more."""
        self._is_closed = True
