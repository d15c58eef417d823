"""The intake of the recorder: a thread keeps runs on the disk, so that a job waits for a hung disk only until a deadline."""

from collections.abc import Callable
from functools import partial
from typing import Final

from telemetry.jobs.run import JobRun, shortened
from telemetry.json_safe import dumps
from telemetry.threads.worker_thread import Receipt, Step, WorkerThread, is_on_event_loop, is_worker_thread

RECORD_TIMEOUT: Final = 0.2
"""Seconds for which a job waits until its start or end is on the disk."""
MAX_MEMORY_BYTES: Final = 32 * 2**20
"""Limit of the runs that wait for a hung disk, in bytes of metadata and some for each run."""
_TYPICAL_BYTES: Final = 1024
_FEW: Final = 100  # runs that fit whatever their size is


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
        self.forget()

    def forget(self) -> None:
        """Start afresh, in a forked child: what waits is the parent's."""
        self._admitted: set[str] = set()  # the open runs whose start was taken
        self._sizes: dict[object, int] = {}

    @property
    def size(self) -> int:
        """How many runs are not on the disk yet."""
        return self._worker.size

    def record(self, run: JobRun) -> None:
        """Take a run. Waits until it is on the disk, but not on an event loop: see `wait`."""
        if (admitted := self._admitted_run(run)) is None:
            self._on_dropped(1, "full")
            return
        ticket = object()
        self._sizes[ticket] = _size_of(admitted)
        receipt = self._worker.put(partial(self._keep, admitted, ticket))
        if not is_on_event_loop():
            self._worker.wait(receipt, RECORD_TIMEOUT)

    def _admitted_run(self, run: JobRun) -> JobRun | None:
        """The run if there is room. For an end whose start was admitted there always is, for a shorter one."""
        is_end, has_start = run.finished_at is not None, run.run_id in self._admitted
        self._admitted.discard(run.run_id)
        if self._worker.size >= self._capacity or self._is_out_of_memory():
            return shortened(run) if is_end and has_start else None
        if not is_end:
            self._admitted.add(run.run_id)
        return run

    def _is_out_of_memory(self) -> bool:
        return len(self._sizes) > _FEW and sum(tuple(self._sizes.values())) > MAX_MEMORY_BYTES

    def _keep(self, run: JobRun, ticket: object) -> None:
        try:
            self._enqueue(run)
        finally:
            self._sizes.pop(ticket, None)

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


def _size_of(run: JobRun) -> int:
    return _TYPICAL_BYTES + (len(dumps(run.metadata)) if run.metadata else 0)


def _nothing() -> None:
    """The steps before this one are done."""
