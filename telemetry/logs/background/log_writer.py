"""The log writer: passes log records to handlers in a thread of its own, in order, behind a bounded queue."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from weakref import WeakSet

from telemetry.logs.background.record_copy import size_of
from telemetry.logs.background.repeat_filter import RepeatFilter
from telemetry.logs.handlers import FailsafeHandler
from telemetry.threads.worker_thread import Receipt, Step, WorkerThread, is_worker_thread

UNIT_CHARACTERS: Final = 4096
CAPACITY: Final = 4096
"""In units: a record takes one, and another one for each `UNIT_CHARACTERS`. This bounds the number and the bytes."""
RESERVED_FOR_ERRORS: Final = 1024
"""Units that only errors may take. So whatever is less important is dropped first."""


class LogWriter:
    """The handlers' own locks are never taken, because only this thread uses the handlers until they are closed.

    Attributes:
        name: the name of the queue in metrics.
        dropped: how many records found the queue full.
        late: how many errors were not written yet when their caller went on.
    """

    def __init__(
        self, name: str, handlers: Sequence[FailsafeHandler], repeat_filter: RepeatFilter | None = None
    ) -> None:
        self.name = name
        self.handlers = tuple(handlers)
        self.dropped = self.late = 0
        self._is_closed = self._is_detached = False
        self.worker = WorkerThread(name.replace("_", "-"), self._forget_streams)
        self._repeat_filter = repeat_filter
        _writers.add(self)

    def accepts(self, record: logging.LogRecord) -> bool:
        """Whether one of the handlers takes the record. Their filters run here, in the caller."""
        handlers = () if self._is_detached else self.handlers
        return any(record.levelno >= handler.level and handler.filter(record) for handler in handlers)

    def submit(self, record: logging.LogRecord) -> Receipt | None:
        """Queue a copied record. Returns None if the queue is full, or nothing is to be written any more."""
        units = 1 + size_of(record) // UNIT_CHARACTERS
        limit = CAPACITY if record.levelno >= logging.ERROR else CAPACITY - RESERVED_FOR_ERRORS
        if self._is_detached:
            return None
        if self.worker.size + units > limit:
            self.dropped += 1
            return None
        if self._is_closed:
            self._is_closed = False
            _writers.add(self)
        return self.worker.put(partial(self._write, record), units)

    def wait(self, record: logging.LogRecord, receipt: Receipt, timeout: float) -> None:
        """Wait until a record is written. Counts an error that is late."""
        if not self.worker.wait(receipt, timeout):
            self.late += record.levelno >= logging.ERROR

    def run(self, step: Step, timeout: float) -> bool:
        """Run a step in the thread, after the records so far. False if it was not done within `timeout` seconds."""
        return self.worker.wait(self.worker.put(step), timeout)

    def request_flush(self) -> Receipt:
        """Write the records so far, and the counts of repeated lines."""
        return self.worker.put(self._write_repeats)

    def detach(self, timeout: float) -> bool:
        """Close for good: a record that another thread was about to hand over must not start the thread again."""
        self._is_detached = True
        return self.close(timeout)

    def close(self, timeout: float) -> bool:
        """Write what is queued, end the thread, and close the handlers. False if that takes more than `timeout` seconds.

        The handlers are closed in this thread: `logging` has a lock for that, and `dictConfig` holds it while it closes handlers.
        """
        if is_worker_thread():
            return True
        self._is_closed = True
        _writers.discard(self)  # a flush would start the thread again
        has_ended = self.worker.put(self._end).wait(timeout)
        for handler in self.handlers:
            with suppress(Exception):  # a foreign stream, or a file on a disk that is gone
                handler.close() if has_ended else handler.abandon()
        return has_ended

    def _write(self, record: logging.LogRecord) -> None:
        self._emit([record] if self._repeat_filter is None else self._repeat_filter.admit(record))

    def _write_repeats(self) -> None:
        if self._repeat_filter is not None:
            self._emit(self._repeat_filter.flush())

    def _emit(self, records: list[logging.LogRecord]) -> None:
        for record in records:
            for handler in self.handlers:
                if record.levelno >= handler.level:
                    handler.emit(record)

    def _end(self) -> None:
        self._write_repeats()
        self.worker.end()

    def _forget_streams(self) -> None:
        for handler in self.handlers:
            handler.forget_stream()


_writers: Final["WeakSet[LogWriter]"] = WeakSet()


def flush_all(timeout: float) -> bool:
    """Write all records so far, and the counts of repeated lines. False if that takes more than `timeout` seconds."""
    if is_worker_thread():
        return False
    deadline = time.monotonic() + timeout
    receipts = [writer.request_flush() for writer in tuple(_writers)]
    return all(receipt.wait(deadline - time.monotonic()) for receipt in receipts)
