"""The intake of the recorder: a thread keeps runs on the disk, so that a job waits for a hung disk only until a deadline."""

from collections.abc import Callable
from functools import partial
from typing import Final

from telemetry.jobs.run import JobRun
from telemetry.threads.worker_thread import Receipt, Step, WorkerThread, is_on_event_loop, is_worker_thread

RECORD_TIMEOUT: Final = 0.2
"""Seconds for which a job waits until its start or end is on the disk."""


class Intake:
    """All changes of the spool happen in its thread, in order. While it is behind, nobody waits for it."""

    def __init__(
        self, enqueue: Callable[[JobRun], None], capacity: int, on_dropped: Callable[[int, str], object]
    ) -> None:
        """Create the intake; its thread starts with the first run, also in a forked child.

        Args:
            enqueue: keeps a run on the disk, and queues it for writing.
            capacity: how many runs may wait for a hung disk.
            on_dropped: called with the number of runs that exceed this, and the reason.
        """
        self._enqueue = enqueue
        self._capacity = capacity
        self._on_dropped = on_dropped
        self._worker = WorkerThread("job-run-spool")

    @property
    def size(self) -> int:
        """How many runs are not on the disk yet."""
        return self._worker.size

    def record(self, run: JobRun) -> None:
        """Take a run. Waits until it is on the disk, but not on an event loop: see `wait`."""
        if self._worker.size >= self._capacity:
            self._on_dropped(1, "full")
            return
        receipt = self._worker.put(partial(self._enqueue, run))
        if not is_on_event_loop():
            self._worker.wait(receipt, RECORD_TIMEOUT)

    def put(self, step: Step) -> Receipt:
        """Queue a change of the spool."""
        return self._worker.put(step)

    def end(self) -> None:
        """End the thread. Called by a step; a later run starts it again."""
        self._worker.end()

    def wait(self, timeout: float) -> bool:
        """Wait until all runs so far are on the disk. Returns at once while the disk hangs."""
        return not self._worker.is_behind and self._worker.wait(self._worker.put(_nothing), timeout)

    async def wait_async(self, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Like `wait`, without blocking the event loop."""
        return await self._worker.wait_for_all(timeout)

    def flush(self, timeout: float) -> bool:
        """Like `wait`, also while the disk hangs."""
        return not is_worker_thread() and self._worker.put(_nothing).wait(timeout)


def _nothing() -> None:
    """The steps before this one are done."""
