"""The recorder: one background thread writes runs in batches, in order, so that no job waits for the database or fails with it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from opentelemetry import context

from telemetry.error_text import error_summary
from telemetry.failsafe import failsafe
from telemetry.jobs.recorder.intake import RECORD_TIMEOUT, Intake
from telemetry.jobs.recorder.queue import RunQueue
from telemetry.jobs.recorder.queued_run import QueueBalance, QueuedRun
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.recorder.spool_state import SpoolState
from telemetry.jobs.recorder.write_pace import HANGING_WRITE_SECONDS, WritePace
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.processes import forks
from telemetry.sdk.trace_suppression import suppressed_context
from telemetry.threads.daemon import start_daemon

CAPACITY: Final = 10_000  # runs in memory
_TYPICAL_LINE_BYTES: Final = 600  # for the estimate of `capacity`
_log = logging.getLogger(__name__)


def _none(*_ignored: object) -> None: ...


class Recorder(forks.ForkAware):
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
        on_dropped: Callable[[int, str], None] = _none,
        retry_delays: tuple[float, float] = (0.1, 5.0),
    ) -> None:
        """Create a recorder; its thread starts with the first run.

        Args:
            write: writes runs to the database, all or none; may get the same runs again.
            spool: creates the spool of this process; called again in a forked child.
            capacity: how many runs are kept in memory.
            on_dropped: called with the number of dropped runs and the reason.
            retry_delays: first and longest delay after a failed write, in seconds.
        """
        self._capacity = capacity
        self._write = write
        self._make_spool = spool or _none
        self._on_dropped = failsafe(on_dropped)
        self._retry_delays = retry_delays
        self._intake = Intake(self._enqueue, capacity, self._on_dropped)
        self._reset()
        forks.register(self)

    def restart_in_child(self) -> None:
        """The parent has the runs."""
        if self._queue.spool is not None:
            self._queue.spool.abandon()
        self._intake.forget()
        self._reset()

    def _reset(self) -> None:
        self._queue = RunQueue(self._capacity, self._make_spool(), on_disk=self._intake.put)
        self._spool_state = SpoolState()
        self._writer: threading.Thread | None = None
        self._closing = self._abandoned = False
        self._pace = WritePace(self._retry_delays)

    @property
    def size(self) -> int:
        return len(self._queue) + self._intake.size

    @property
    def capacity(self) -> int:
        """About how many runs fit; with a spool, estimated from its size limit."""
        spool = self._queue.spool
        return self._capacity if spool is None else max(self._capacity, spool.max_bytes // _TYPICAL_LINE_BYTES)

    @property
    def is_healthy(self) -> bool:
        """Whether the last write succeeded and none hangs, so that waiting for a write makes sense."""
        return self._pace.is_healthy

    @property
    def spooled_bytes(self) -> int:
        return 0 if (spool := self._queue.spool) is None else spool.size

    @property
    def unspooled(self) -> dict[str, int]:
        """How many records the spool rejected, by reason: `full` or `disk`."""
        return dict(self._queue.unspooled)

    def oldest_age(self) -> float:
        return self._queue.oldest_age()

    def balance(self) -> QueueBalance:
        return self._queue.balance()

    def open_runs(self) -> list[str]:
        return self._queue.open_runs()

    def time_left(self) -> dict[str, timedelta]:
        return self._queue.time_left()

    @failsafe
    def record(self, run: JobRun) -> None:
        """Record a run. Never raises. Waits briefly until the run is on the disk, but not on an event loop."""
        self._intake.record(run)

    def _enqueue(self, run: JobRun) -> None:
        """Queue a run, and start the writer thread if there is none."""
        rejected = self._queue.put(run)
        with self._queue.changed:
            if not self._abandoned and not self._is_writing():
                self._writer = start_daemon(self._run, "job-runs")
        if rejected:
            self._on_dropped(rejected, "shutdown" if self._abandoned else "full")
        self._spool_state.log_change(self._queue.spool_error)

    def wait_recorded(self, timeout: float) -> bool:
        return self._intake.wait(timeout)

    async def wait_recorded_async(self, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Wait until all runs so far are on the disk, without blocking the event loop."""
        return await self._intake.wait_async(timeout)

    def wait(self, run_id: str, timeout: float) -> bool:
        """Wait until all records of this run are written. False after `timeout` seconds, or if a write fails."""
        return self._queue.wait(run_id, self._patience(timeout))

    async def wait_async(self, run_id: str, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Like `wait`, without a thread and without blocking the event loop."""
        return await self._queue.wait_async(run_id, self._patience(timeout))

    def flush(self, timeout: float) -> bool:
        """Wait until all runs are written; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        return self._intake.flush(timeout) and self._flush_queue(deadline - time.monotonic())

    def _flush_queue(self, timeout: float) -> bool:
        with self._queue.changed:
            # A table that is missing does not come because a process stops.
            is_over = lambda: not self._queue or not self._is_writing() or self._pace.is_table_missing  # noqa: E731
            self._queue.changed.wait_for(is_over, timeout)
            return not self._queue

    def shutdown(self, timeout: float) -> bool:
        """Write all queued runs, and reject further ones. Returns whether all were written within `timeout` seconds.

        The others stay in the spool for recovery. What is not in the spool is dropped and counted.
        """
        deadline = time.monotonic() + timeout
        is_recorded = self._intake.flush(timeout)
        with self._queue.changed:
            self._closing = True
            self._queue.changed.notify_all()
        self._write_without_thread(deadline)
        with self._queue.changed:
            written = self._flush_queue(deadline - time.monotonic()) and is_recorded
            self._abandoned = True
            self._queue.changed.notify_all()
        self._intake.put(self._close).wait(max(RECORD_TIMEOUT, deadline - time.monotonic()))
        if written and self._writer is not None:
            self._writer.join(HANGING_WRITE_SECONDS)
        return written

    def _close(self) -> None:
        self._intake.end()
        if unsaved := self._queue.close():
            self._on_dropped(unsaved, "shutdown")

    def _write_without_thread(self, end: float) -> None:
        """Write in this thread until `end`, by the monotonic clock, if none could be started since the interpreter ends."""
        with self._queue.changed:
            if not self._queue or self._is_writing():
                return
            self._writer = threading.current_thread()
        token = context.attach(suppressed_context())
        try:
            while self._queue and time.monotonic() < end and not self._pace.is_table_missing:
                self._write_batch(self._next_batch())
        finally:
            self._writer = None
            context.detach(token)

    def _is_writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def _patience(self, timeout: float) -> float:
        """0 without a writer, and in its thread: a generator may be closed in any thread, also in that one."""
        is_in_vain = not self._is_writing() or self._writer is threading.current_thread()
        return 0.0 if is_in_vain else min(timeout, self._pace.patience)

    def _run(self) -> None:
        context.attach(suppressed_context())
        while batch := self._next_batch():
            self._write_batch(batch)

    def _next_batch(self) -> list[QueuedRun]:
        """Wait for runs and return the oldest; none after the shutdown."""
        with self._queue.changed:
            self._queue.changed.wait_for(lambda: self._queue or self._closing)
            return [] if self._abandoned else self._queue.peek(self._pace.batch_size)

    def _write_batch(self, batch: list[QueuedRun]) -> None:
        runs = [run for entry in batch if (run := self._queue.read(entry)) is not None]
        self._pace.begin()
        try:
            self._write(runs)
        except UnwritableRunError as error:
            self._isolate_unwritable(runs, len(batch), error)
        except Exception as error:  # noqa: BLE001  # whatever the database raises, the runs are kept
            self._retry_later(error)
        else:
            self._pace.succeed()
            self._acknowledge(len(batch), len(batch) - len(runs), "unreadable")

    def _acknowledge(self, number: int, dropped: int, reason: str) -> None:
        self._queue.acknowledge(number, dropped)
        if dropped:
            self._on_dropped(dropped, reason)

    def _isolate_unwritable(self, runs: list[JobRun], acknowledged: int, error: UnwritableRunError) -> None:
        self._pace.isolate()
        if acknowledged == 1:
            _log.warning("A run of job %r can't be written, and is dropped: %s", runs[0].job_name, error_summary(error))
            self._acknowledge(1, 1, "unwritable")

    def _retry_later(self, error: Exception) -> None:
        self._pace.fail(error)
        self._queue.release_waiters()
        with self._queue.changed:
            closing = self._closing
            pause = self._pace.shortest_pause if closing else self._pace.pause
            self._queue.changed.wait_for(lambda: self._abandoned or self._closing is not closing, pause)
        self._pace.lengthen()
