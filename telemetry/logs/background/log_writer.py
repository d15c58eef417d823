"""The log writer: passes log records to handlers in a thread of its own, in order, behind a bounded queue.

Python may run a signal handler or a finalizer between any two steps, and both may log. A caller takes no lock here that the
code it interrupted may hold: `SimpleQueue.put` is reentrant, and each caller that waits has a lock of its own.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias
from weakref import WeakSet

from telemetry.logs.background import forks
from telemetry.logs.background.record_copy import size_of
from telemetry.logs.background.repeat_filter import RepeatFilter
from telemetry.logs.handlers import FailsafeHandler
from telemetry.threads import start_daemon

UNIT_CHARACTERS: Final = 4096
CAPACITY: Final = 4096
"""In units: a record takes one, and another one for each `UNIT_CHARACTERS`. This bounds the number and the bytes."""
RESERVED_FOR_ERRORS: Final = 1024
"""Units that only errors may take. So whatever is less important is dropped first."""
_threads: Final[set[int]] = set()


def is_writer_thread() -> bool:
    """Whether this is the thread of a writer, which must not wait for one."""
    return threading.get_ident() in _threads


class Receipt:
    """Lets one caller wait until its record is written."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=max(0.0, timeout))

    def give(self) -> None:
        self._lock.release()


Work: TypeAlias = logging.LogRecord | Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Item:
    """A record to write, or a step to run, in the context of the caller."""

    work: Work
    context: Context
    receipt: Receipt


_Queue: TypeAlias = "SimpleQueue[_Item | None]"
"""Each None stands for one unit of the record before it."""


class LogWriter:
    """Writes records to its handlers. Where no thread can be started, because the interpreter ends, the caller writes.

    The handlers' own locks are never taken, because only this thread uses the handlers.

    Attributes:
        name: the name of the queue in metrics.
        dropped: how many records found the queue full.
        late: how many errors were not written yet when their caller went on.
        is_behind: whether a caller waited in vain, and the queue has not been empty since: no other one should wait.
    """

    def __init__(
        self, name: str, handlers: Sequence[FailsafeHandler], repeat_filter: RepeatFilter | None = None
    ) -> None:
        self.name = name
        self.handlers = tuple(handlers)
        self.dropped = self.late = 0
        self._repeat_filter = repeat_filter
        self._reset()
        _writers.add(self)
        forks.protect(self)

    def _reset(self) -> None:
        self.is_behind = self._is_ending = self._is_paused = False
        self._queue: _Queue = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()

    @property
    def size(self) -> int:
        """How many units are queued."""
        return self._queue.qsize()

    def accepts(self, record: logging.LogRecord) -> bool:
        """Whether one of the handlers takes the record. Their filters run here, in the caller."""
        return any(record.levelno >= handler.level and handler.filter(record) for handler in self.handlers)

    def submit(self, record: logging.LogRecord) -> Receipt | None:
        """Queue a copied record. Returns None if the queue is full."""
        units = 1 + size_of(record) // UNIT_CHARACTERS
        limit = CAPACITY if record.levelno >= logging.ERROR else CAPACITY - RESERVED_FOR_ERRORS
        if self._queue.qsize() + units > limit:
            self.dropped += 1
            return None
        receipt = self.put(record)
        for _ in range(units - 1):
            self._queue.put(None)
        return receipt

    def put(self, work: Work) -> Receipt:
        """Queue a record, or a step that runs in the thread after the records so far."""
        item = _Item(work, copy_context(), Receipt())
        self._queue.put(item)
        if not self._has_thread():
            self._write_queued()
        return item.receipt

    def request_flush(self) -> Receipt:
        """Write the records so far, and the counts of repeated lines."""
        return self.put(self._write_repeats)

    def close(self, timeout: float) -> bool:
        """Write what is queued, close the handlers, and end the thread. False if that takes more than `timeout` seconds."""
        is_closed = is_writer_thread() or self.put(self._close).wait(timeout)
        for handler in () if is_closed else self.handlers:
            handler.abandon()
        return is_closed

    def _has_thread(self) -> bool:
        """Start the thread if there is none. False if that is not possible."""
        if sys.is_finalizing():
            return False
        if self._thread is None or not self._thread.is_alive():
            queue, self._is_ending = self._queue, False
            self._thread = start_daemon(lambda: self._serve(queue), self.name.replace("_", "-"))
        return self._thread is not None

    def _serve(self, queue: _Queue) -> None:
        _threads.add(threading.get_ident())
        while not self._is_ending or not queue.empty():
            box = [queue.get()]
            with self._writing:
                self._write_next(box.pop)
            if queue.empty():
                self.is_behind = False
        _threads.discard(threading.get_ident())

    def _write_queued(self) -> None:
        """Write in the thread of the caller. One that interrupts this leaves its record to the one that it interrupted."""
        while not self._queue.empty() and self._writing.acquire(blocking=False):
            try:
                self._write_next(self._queue.get_nowait)
            finally:
                self._writing.release()

    def _write_next(self, get: Callable[[], _Item | None]) -> None:
        with suppress(Empty):
            if (item := get()) is None:
                return
            with suppress(Exception):  # an edge: the handlers report their failures themselves
                item.context.run(self._work_on, item.work)
            receipt = item.receipt
            del item  # its objects are freed by the caller, since some may be closed in the caller's thread only
            receipt.give()

    def _work_on(self, work: Work) -> None:
        if not isinstance(work, logging.LogRecord):
            work()
        elif self._repeat_filter is None:
            self._emit([work])
        else:
            self._emit(self._repeat_filter.admit(work))

    def _emit(self, records: list[logging.LogRecord]) -> None:
        for record in records:
            for handler in self.handlers:
                if record.levelno >= handler.level:
                    handler.emit(record)

    def _write_repeats(self) -> None:
        if self._repeat_filter is not None:
            self._emit(self._repeat_filter.flush())

    def _close(self) -> None:
        self._write_repeats()
        self._is_ending = True
        for handler in self.handlers:
            handler.close()

    def pause(self, timeout: float) -> None:
        """Let no record be half written while the process forks, if the current one is done within `timeout` seconds."""
        self._is_paused = self._writing.acquire(timeout=timeout)

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._writing.release()

    def restart_in_child(self) -> None:
        """The parent writes what is queued. Of a record that was half written the child forgets its part."""
        _threads.clear()
        for handler in () if self._is_paused else self.handlers:
            handler.forget_stream()
        self._reset()


_writers: Final["WeakSet[LogWriter]"] = WeakSet()


def flush_all(timeout: float) -> bool:
    """Write all records so far, and the counts of repeated lines. False if that takes more than `timeout` seconds."""
    if is_writer_thread():
        return False
    deadline = time.monotonic() + timeout
    receipts = [writer.request_flush() for writer in tuple(_writers)]
    return all(receipt.wait(deadline - time.monotonic()) for receipt in receipts)
