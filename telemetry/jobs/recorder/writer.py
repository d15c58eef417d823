"""The recorder: one background thread writes runs in batches, in order, so that no job waits for the database or fails with it."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from opentelemetry import context

from telemetry.error_text import error_summary
from telemetry.failsafe import failsafe
from telemetry.jobs.recorder.queue import QueueBalance, QueuedRun, RunQueue
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.recorder.spool_state import SpoolState
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.sdk.trace_suppression import suppressed_context

BATCH_SIZE: Final = 100
HANGING_WRITE_SECONDS: Final = 1.0  # a write that takes longer makes the recorder unhealthy
CAPACITY: Final = 10_000  # runs in memory
_TYPICAL_LINE_BYTES: Final = 600  # for the estimate of `capacity`
_log = logging.getLogger(__name__)


def _no_spool() -> None:
    """No spool."""


def _ignore_dropped(_number: int, _reason: str) -> None:
    """Do not count dropped runs."""


class Recorder:
    """Writes runs with `write`, which must be idempotent.

    If `write` raises `UnwritableRunError`, the recorder finds the run at fault, drops it and counts it. After any other
    exception the database counts as unavailable: the runs are kept and retried. With a spool they survive the process.
    """

    def __init__(
        self,
        write: Callable[[Sequence[JobRun]], None],
        *,
        spool: Callable[[], Spool] | None = None,
        capacity: int = CAPACITY,
        on_dropped: Callable[[int, str], None] = _ignore_dropped,
        retry_delays: tuple[float, float] = (0.1, 5.0),
    ) -> None:
        """Create a recorder; its thread starts with the first run.

        Args:
            write: writes runs to the database, all or none; may get the same runs again.
            spool: creates the spool of this process; called again in a forked child.
            capacity: how many runs are kept in memory.
            on_dropped: called with the number of dropped runs and the reason.
            retry_delays: the first and the longest delay after a failed write, in seconds.
        """
        self._capacity = capacity
        self._write = write
        self._make_spool = spool or _no_spool
        self._on_dropped = failsafe(on_dropped)
        self._retry_delays = retry_delays
        self._reset()
        reset_after_fork = weakref.WeakMethod(self._reset_after_fork)
        os.register_at_fork(after_in_child=lambda: (reset := reset_after_fork()) and reset())

    def _reset_after_fork(self) -> None:
        """Start afresh in a forked child: it has no writer thread, and its locks may be held for ever. The parent has the runs."""
        if self._queue.spool is not None:
            self._queue.spool.abandon()
        self._reset()

    def _reset(self) -> None:
        self._queue = RunQueue(self._capacity, self._make_spool())
        self._writer: threading.Thread | None = None
        self._closing = self._abandoned = self._failing = False
        self._spool_state = SpoolState()
        self._writing_since: float | None = None
        self._batch_size, self._retry_delay = BATCH_SIZE, self._retry_delays[0]

    @property
    def size(self) -> int:
        return len(self._queue)

    @property
    def capacity(self) -> int:
        """About how many runs fit; with a spool, estimated from its size limit."""
        spool = self._queue.spool
        return self._capacity if spool is None else max(self._capacity, spool.max_bytes // _TYPICAL_LINE_BYTES)

    @property
    def is_healthy(self) -> bool:
        """Whether the last write succeeded and none hangs, so that waiting for a write makes sense."""
        since = self._writing_since
        return not self._failing and (since is None or time.monotonic() - since < HANGING_WRITE_SECONDS)

    @property
    def spooled_bytes(self) -> int:
        spool = self._queue.spool
        return spool.size if spool is not None else 0

    @property
    def unspooled(self) -> dict[str, int]:
        """How many records the spool rejected, by reason: `full` or `disk`."""
        return dict(self._queue.unspooled)

    def oldest_age(self) -> float:
        """For how many seconds the oldest run has been waiting to be written."""
        return self._queue.oldest_age()

    def balance(self) -> QueueBalance:
        return self._queue.balance()

    def open_runs(self) -> list[str]:
        """The ids of the runs of this process whose end is not in the database yet."""
        return self._queue.open_runs()

    @failsafe
    def record(self, run: JobRun) -> None:
        """Enqueue a run, and start the writer thread if there is none. Never raises."""
        with self._queue.changed:
            rejected = self._queue.put(run)
            if not self._abandoned and not self._is_writing():
                self._start_writer()
        if rejected:
            self._on_dropped(rejected, "shutdown" if self._abandoned else "full")
        self._spool_state.log_change(self._queue.spool_error)

    def wait(self, run_id: str, timeout: float) -> bool:
        """Wait until all records of this run are written. False after `timeout` seconds, or if a write fails."""
        return self._queue.wait(run_id, timeout if self._can_wait() else 0.0)

    async def wait_async(self, run_id: str, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Like `wait`, without a thread and without blocking the event loop."""
        return await self._queue.wait_async(run_id, timeout if self._can_wait() else 0.0)

    def flush(self, timeout: float) -> bool:
        """Wait until all runs are written; False after `timeout` seconds."""
        with self._queue.changed:
            self._queue.changed.wait_for(lambda: not self._queue or not self._is_writing(), timeout)
            return not self._queue

    def shutdown(self, timeout: float) -> bool:
        """Write all queued runs, and reject further ones.

        Runs that are not written within `timeout` seconds stay in the spool for recovery. Runs that are not in the spool are
        dropped and counted.

        Returns:
            Whether all of them were written.
        """
        with self._queue.changed:
            self._closing = True
            self._queue.changed.notify_all()
        self._write_without_thread(time.monotonic() + timeout)
        with self._queue.changed:
            written = self.flush(timeout)
            self._abandoned = True
            unsaved = self._queue.close()
        if unsaved:
            self._on_dropped(unsaved, "shutdown")
        if written and self._writer is not None:
            self._writer.join(HANGING_WRITE_SECONDS)
        return written

    def _start_writer(self) -> None:
        writer = threading.Thread(target=self._run, name="job-runs", daemon=True)
        with suppress(RuntimeError):  # no thread can be started, such as while the interpreter ends: `shutdown` writes
            writer.start()
            self._writer = writer

    def _write_without_thread(self, end: float) -> None:
        """If no writer thread could be started, write in this one until `end`, by the monotonic clock."""
        with self._queue.changed:
            if not self._queue or self._is_writing():
                return
            self._writer = threading.current_thread()
        token = context.attach(suppressed_context())
        try:
            while self._queue and time.monotonic() < end:
                self._write_batch(self._next_batch())
        finally:
            self._writer = None
            context.detach(token)

    def _is_writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def _can_wait(self) -> bool:
        """Whether there is a writer, and this is not its thread: a generator may be closed in any thread, also in that one."""
        return self._is_writing() and self._writer is not threading.current_thread()

    def _run(self) -> None:
        context.attach(suppressed_context())
        while batch := self._next_batch():
            self._write_batch(batch)

    def _next_batch(self) -> list[QueuedRun]:
        """Wait for runs and return the oldest; none after the shutdown."""
        with self._queue.changed:
            self._queue.changed.wait_for(lambda: self._queue or self._closing)
            return [] if self._abandoned else self._queue.peek(self._batch_size)

    def _write_batch(self, batch: list[QueuedRun]) -> None:
        runs = [run for entry in batch if (run := self._queue.read(entry)) is not None]
        self._writing_since = time.monotonic()
        try:
            self._write(runs)
        except UnwritableRunError as error:
            self._isolate_unwritable(runs, len(batch), error)
        except Exception as error:  # noqa: BLE001  # whatever the database raises, the runs are kept
            self._retry_later(error)
        else:
            self._succeed(len(runs), len(batch))

    def _succeed(self, written: int, acknowledged: int) -> None:
        if self._failing:
            _log.info("Job runs can be written again.")
        self._failing, self._writing_since, self._retry_delay = False, None, self._retry_delays[0]
        self._batch_size = min(2 * self._batch_size, BATCH_SIZE)
        self._acknowledge(acknowledged, acknowledged - written, "unreadable")

    def _acknowledge(self, number: int, dropped: int, reason: str) -> None:
        self._queue.acknowledge(number, dropped)
        if dropped:
            self._on_dropped(dropped, reason)

    def _isolate_unwritable(self, runs: list[JobRun], acknowledged: int, error: UnwritableRunError) -> None:
        """Write runs one at a time until the one at fault is found and dropped; then the batches grow again."""
        self._writing_since, self._batch_size = None, 1
        if acknowledged == 1:
            _log.warning("A run of job %r can't be written, and is dropped: %s", runs[0].job_name, error_summary(error))
            self._acknowledge(1, 1, "unwritable")

    def _retry_later(self, error: Exception) -> None:
        if not self._failing:
            _log.warning("Job runs can't be written now, and wait until they can: %s", error_summary(error))
        self._failing, self._writing_since = True, None
        self._queue.release_waiters()
        first, longest = self._retry_delays
        with self._queue.changed:
            closing = self._closing
            delay = first if closing else self._retry_delay
            self._queue.changed.wait_for(lambda: self._abandoned or self._closing is not closing, delay)
        self._retry_delay = min(2 * self._retry_delay, longest)
