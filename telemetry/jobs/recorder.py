"""Recorder: one thread writes the runs, in their order, so that no job waits for the database or fails with it."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry import context

from telemetry.harmless import harmless
from telemetry.jobs.backlog import Backlog
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.untraced import untraced

BATCH: Final = 100
HANGS: Final = 1.0  # seconds after which a write does not count as one that works
_log = logging.getLogger(__name__)


def _nobody(_number: int, _reason: str) -> None:
    """Nobody counts."""


class Recorder:
    """`write` may be given the same runs again; it raises `UnwritableRunError` when the fault is theirs.

    The run that can't be written is then found, dropped and counted. Whatever else `write` raises is the database's
    fault: the runs are kept, and tried again after a pause.
    """

    def __init__(
        self,
        write: Callable[[Sequence[JobRun]], None],
        *,
        capacity: int = 10_000,
        dropped: Callable[[int, str], None] = _nobody,
        pauses: tuple[float, float] = (0.1, 5.0),
    ) -> None:
        """`dropped` is told how many were dropped and why; `pauses` are the first and the longest, in seconds."""
        self.capacity = capacity
        self._write = write
        self._dropped = harmless(dropped)
        self._pauses = pauses
        self._begin()
        begin_again = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (again := begin_again()) and again())

    def _begin(self) -> None:
        """Also in a child after a fork: it has no writer, and its locks may be held by nobody. Its parent has the runs."""
        self._backlog = Backlog(self.capacity)
        self._writer: threading.Thread | None = None
        self._closing = self._abandoned = self._failing = False
        self._writing_since: float | None = None
        self._limit, self._pause = BATCH, self._pauses[0]

    @property
    def size(self) -> int:
        return len(self._backlog)

    @property
    def well(self) -> bool:
        """The last write worked, and none hangs: it makes sense to wait for one."""
        since = self._writing_since
        return not self._failing and (since is None or time.monotonic() - since < HANGS)

    @harmless
    def record(self, run: JobRun) -> None:
        with self._backlog.changed:
            refused = "shutdown" if self._closing else None if self._backlog.put(run) else "full"
            if refused is None and not self._is_writing():
                self._start_writer()
        if refused is not None:
            self._dropped(1, refused)

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
        """Write what waits, and take no more. What is not written within the timeout is dropped and counted."""
        with self._backlog.changed:
            closed_before, self._closing = self._closing, True
            self._backlog.changed.notify_all()
            written = self.flush(timeout)
            self._abandoned = True
            self._backlog.changed.notify_all()
        self._backlog.release()
        if not written and not closed_before:
            self._dropped(self.size, "shutdown")
        if written and self._writer is not None:
            self._writer.join(HANGS)
        return written

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
        context.attach(untraced())
        while batch := self._next():
            self._attempt(batch)

    def _next(self) -> list[JobRun]:
        """The oldest runs, as soon as there are any; none when it is over."""
        with self._backlog.changed:
            self._backlog.changed.wait_for(lambda: self._backlog or self._closing)
            return [] if self._abandoned else self._backlog.oldest(self._limit)

    def _attempt(self, batch: list[JobRun]) -> None:
        self._writing_since = time.monotonic()
        try:
            self._write(batch)
        except UnwritableRunError as error:
            self._single_out(batch, error)
        except Exception as error:  # noqa: BLE001  # whatever the database does, its runs are kept
            self._try_later(error)
        else:
            self._succeed(batch)

    def _succeed(self, batch: list[JobRun]) -> None:
        if self._failing:
            _log.info("Job runs can be written again.")
        self._failing, self._writing_since, self._pause = False, None, self._pauses[0]
        self._limit = min(2 * self._limit, BATCH)
        self._backlog.settle(len(batch))

    def _single_out(self, batch: list[JobRun], error: UnwritableRunError) -> None:
        """One at a time until it is found; after that the batches grow again."""
        self._writing_since, self._limit = None, 1
        if len(batch) == 1:
            _log.warning("A run of job %r can't be written, and is dropped: %s", batch[0].job_name, _brief(error))
            self._dropped(1, "unwritable")
            self._backlog.settle(1)

    def _try_later(self, error: Exception) -> None:
        if not self._failing:
            _log.warning("Job runs can't be written now, and wait until they can: %s", _brief(error))
        self._failing, self._writing_since = True, None
        self._backlog.release()
        first, longest = self._pauses
        with self._backlog.changed:
            closing = self._closing
            pause = first if closing else self._pause
            self._backlog.changed.wait_for(lambda: self._abandoned or self._closing is not closing, pause)
        self._pause = min(2 * self._pause, longest)


def _brief(error: Exception) -> str:
    """Its first line: the others of a database error are the statement and its parameters."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
