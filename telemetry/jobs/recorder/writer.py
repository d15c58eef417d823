"""Recorder: one thread writes the runs, in their order, so that no job waits for the database or fails with it."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry import context

from telemetry.failsafe import failsafe
from telemetry.jobs.recorder.queue import QueueBalance, QueuedRun, RunQueue
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.sdk.trace_suppression import suppressed_context

BATCH_SIZE: Final = 100
HANGING_SECONDS: Final = 1.0  # seconds after which a write does not count as one that works
CAPACITY: Final = 10_000
_LINE: Final = 600  # bytes, a usual one
_log = logging.getLogger(__name__)


def _nothing() -> None:
    """No spool."""


def _no_process(_number: int, _reason: str) -> None:
    """Nobody counts."""


class Recorder:
    """`write` may be given the same runs again; it raises `UnwritableRunError` when the fault is theirs.

    The run that can't be written is then found, dropped and counted. Whatever else `write` raises is the database's
    fault: the runs are kept, and tried again after a pause. With a spool they outlive the process.
    """

    def __init__(
        self,
        write: Callable[[Sequence[JobRun]], None],
        *,
        spool: Callable[[], Spool] | None = None,
        capacity: int = CAPACITY,
        dropped: Callable[[int, str], None] = _no_process,
        pauses: tuple[float, float] = (0.1, 5.0),
    ) -> None:
        """`dropped` is told how many were dropped and why; `pauses` are the first and the longest, in seconds."""
        self._capacity = capacity
        self._write = write
        self._make_spool = spool or _nothing
        self._dropped = failsafe(dropped)
        self._pauses = pauses
        self._begin()
        begin_again = weakref.WeakMethod(self._begin_again)
        os.register_at_fork(after_in_child=lambda: (again := begin_again()) and again())

    def _begin_again(self) -> None:
        """In a child after a fork: it has no writer, and its locks may be held by nobody. Its parent has the runs."""
        if self._backlog.spool is not None:
            self._backlog.spool.abandon()
        self._begin()

    def _begin(self) -> None:
        self._backlog = RunQueue(self._capacity, self._make_spool())
        self._writer: threading.Thread | None = None
        self._closing = self._abandoned = self._failing = self._spool_fails = False
        self._writing_since: float | None = None
        self._limit, self._pause = BATCH_SIZE, self._pauses[0]

    @property
    def size(self) -> int:
        return len(self._backlog)

    @property
    def capacity(self) -> int:
        """About how many fit: with a spool that is a matter of bytes."""
        spool = self._backlog.spool
        return self._capacity if spool is None else max(self._capacity, spool.limit // _LINE)

    @property
    def well(self) -> bool:
        """The last write worked, and none hangs: it makes sense to wait for one."""
        since = self._writing_since
        return not self._failing and (since is None or time.monotonic() - since < HANGING_SECONDS)

    @property
    def spooled_bytes(self) -> int:
        spool = self._backlog.spool
        return spool.size if spool is not None else 0

    @property
    def unspooled(self) -> dict[str, int]:
        """How many records the spool did not take, by the reason: `full`, `disk`."""
        return dict(self._backlog.unspooled)

    def age(self) -> float:
        """For how many seconds the oldest has waited to be written."""
        return self._backlog.age()

    def balance(self) -> QueueBalance:
        return self._backlog.balance()

    def open_runs(self) -> list[str]:
        """The ids of the runs of this process whose end is not in the database yet."""
        return self._backlog.open_runs()

    @failsafe
    def record(self, run: JobRun) -> None:
        with self._backlog.changed:
            refused = self._backlog.put(run)
            if not self._abandoned and not self._is_writing():
                self._start_writer()
        if refused:
            self._dropped(refused, "shutdown" if self._abandoned else "full")
        self._say_of_the_spool()

    def wait(self, run_id: str, timeout: float) -> bool:
        """Wait until nothing of this run is left to write; False when that takes too long, or fails."""
        return self._backlog.wait(run_id, timeout if self._may_wait() else 0.0)

    async def wait_async(self, run_id: str, timeout: float) -> bool:  # noqa: ASYNC109  # it is an answer here, no error
        """The same, without a thread and without blocking the event loop."""
        return await self._backlog.wait_async(run_id, timeout if self._may_wait() else 0.0)

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written; False when that takes too long."""
        with self._backlog.changed:
            self._backlog.changed.wait_for(lambda: not self._backlog or not self._is_writing(), timeout)
            return not self._backlog

    def shutdown(self, timeout: float) -> bool:
        """Write what waits, and take no more.

        What is not written within the timeout stays in the spool for whoever comes next; what is not there is dropped and counted.
        """
        with self._backlog.changed:
            self._closing = True
            self._backlog.changed.notify_all()
            written = self.flush(timeout)
            self._abandoned = True
            unsafe = self._backlog.close()
        if unsafe:
            self._dropped(unsafe, "shutdown")
        if written and self._writer is not None:
            self._writer.join(HANGING_SECONDS)
        return written

    def _say_of_the_spool(self) -> None:
        """Once when it takes no more, and once when it does so again."""
        trouble = self._backlog.trouble
        if (trouble is not None) is self._spool_fails:
            return
        self._spool_fails = trouble is not None
        if trouble is not None:
            _log.error(
                "Job runs can't be kept on the disk now, and would be lost with this process: %s", brief(trouble)
            )
        else:
            _log.warning("Job runs are kept on the disk again.")

    def _start_writer(self) -> None:
        writer = threading.Thread(target=self._run, name="job-runs", daemon=True)
        writer.start()
        self._writer = writer

    def _is_writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def _may_wait(self) -> bool:
        """Nobody waits for a writer that is not there, nor for itself: a generator may be closed in any thread."""
        return self._is_writing() and self._writer is not threading.current_thread()

    def _run(self) -> None:
        context.attach(suppressed_context())
        while batch := self._next():
            self._attempt(batch)

    def _next(self) -> list[QueuedRun]:
        """The oldest runs, as soon as there are any; none when it is over."""
        with self._backlog.changed:
            self._backlog.changed.wait_for(lambda: self._backlog or self._closing)
            return [] if self._abandoned else self._backlog.oldest(self._limit)

    def _attempt(self, batch: list[QueuedRun]) -> None:
        runs = [run for entry in batch if (run := self._backlog.read(entry)) is not None]
        self._writing_since = time.monotonic()
        try:
            self._write(runs)
        except UnwritableRunError as error:
            self._single_out(runs, len(batch), error)
        except Exception as error:  # noqa: BLE001  # whatever the database does, its runs are kept
            self._try_later(error)
        else:
            self._succeed(len(runs), len(batch))

    def _succeed(self, written: int, settled: int) -> None:
        if self._failing:
            _log.info("Job runs can be written again.")
        self._failing, self._writing_since, self._pause = False, None, self._pauses[0]
        self._limit = min(2 * self._limit, BATCH_SIZE)
        self._settle(settled, settled - written, "unreadable")

    def _settle(self, number: int, dropped: int, why: str) -> None:
        self._backlog.settle(number, dropped)
        if dropped:
            self._dropped(dropped, why)

    def _single_out(self, runs: list[JobRun], settled: int, error: UnwritableRunError) -> None:
        """One at a time until it is found; after that the batches grow again."""
        self._writing_since, self._limit = None, 1
        if settled == 1:
            _log.warning("A run of job %r can't be written, and is dropped: %s", runs[0].job_name, brief(error))
            self._settle(1, 1, "unwritable")

    def _try_later(self, error: Exception) -> None:
        if not self._failing:
            _log.warning("Job runs can't be written now, and wait until they can: %s", brief(error))
        self._failing, self._writing_since = True, None
        self._backlog.release()
        first, longest = self._pauses
        with self._backlog.changed:
            closing = self._closing
            pause = first if closing else self._pause
            self._backlog.changed.wait_for(lambda: self._abandoned or self._closing is not closing, pause)
        self._pause = min(2 * self._pause, longest)


def brief(error: Exception) -> str:
    """Its first line: the others of a database error are the statement and its parameters."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
