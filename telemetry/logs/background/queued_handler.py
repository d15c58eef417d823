"""The handler of the root logger: copies each record, and hands it to the log writers."""

import logging
import time
from typing import Final, Protocol

from telemetry.logs.background.record_copy import copy_record
from telemetry.logs.handlers import FailsafeHandler
from telemetry.logs.record_origin import is_alert, origin_in_caller, origin_of
from telemetry.threads.worker_thread import Receipt, is_on_event_loop, is_worker_thread

DEADLINE: Final = 0.2
"""Seconds for which a caller waits until its record is written."""
CLOSE_TIMEOUT: Final = 2.0


class RecordSink(Protocol):
    """Takes copied records, as a `LogWriter` does. Who waits for one gets a receipt."""

    @property
    def name(self) -> str: ...
    def accepts(self, record: logging.LogRecord) -> bool:
        """Whether it takes the record. Asked in the caller."""

    def submit(self, record: logging.LogRecord) -> Receipt | None: ...
    def wait(self, record: logging.LogRecord, receipt: Receipt, timeout: float) -> None: ...
    def close(self, timeout: float) -> bool: ...


class _Queueing(logging.Handler):
    """A record is written when the call that logged it returns, or the deadline has passed.

    On the thread of an event loop that holds for errors, alerts and tracebacks only; other records are written soon after.
    While a writer is behind, no caller waits for it.
    """

    def __init__(self, *writers: RecordSink) -> None:
        super().__init__()
        self.writers = writers
        self.always_waits = False
        """True when the process may end at any moment, and with it the queue."""
        self.is_closed = False

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock, so that a caller that waits is in nobody's way."""
        accepted: object = self.filter(record)  # from Python 3.12 on, a filter may return another record
        if accepted:
            self.emit(accepted if isinstance(accepted, logging.LogRecord) else record)
        return bool(accepted)

    def emit(self, record: logging.LogRecord) -> None:
        accepting = [writer for writer in self.writers if writer.accepts(record)]
        if accepting:
            first = copy_record(record)
            # One for each writer, before the first of them begins: formatters add attributes to their record.
            copies = [first, *(logging.makeLogRecord(vars(first)) for _ in accepting[1:])]
            token = origin_in_caller.set(origin_of(record) if is_alert(record) else None)
            receipts = [(writer, writer.submit(copy)) for writer, copy in zip(accepting, copies, strict=True)]
            origin_in_caller.reset(token)
            del first, copies
            self._wait(record, receipts)

    def _wait(self, record: logging.LogRecord, receipts: list[tuple[RecordSink, Receipt | None]]) -> None:
        if is_worker_thread() or not (self.always_waits or _is_urgent(record) or not is_on_event_loop()):
            return
        deadline = time.monotonic() + DEADLINE
        for writer, receipt in receipts:
            if receipt is not None:
                writer.wait(record, receipt, deadline - time.monotonic())

    def flush(self) -> None:
        """Do nothing: who waits does it for a record of its own, or by `flush_all`."""

    def close(self) -> None:
        """Write what is queued. Later records are written as well, but their files may be opened again for that."""
        self.always_waits = self.is_closed = True
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for writer in self.writers:
            writer.close(deadline - time.monotonic())
        super().close()

    def reopen(self) -> None:
        """Take back `close`: the process goes on."""
        if self.is_closed:
            self.always_waits = self.is_closed = False


class QueuedHandler(FailsafeHandler, _Queueing):
    """Repairs a record whose arguments do not fit, before the handlers of others get it."""

    destination = "the queue of the log"


def _is_urgent(record: logging.LogRecord) -> bool:
    return bool(record.exc_info) or is_alert(record)
