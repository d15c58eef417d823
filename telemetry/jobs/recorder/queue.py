"""The queue of runs that are not written yet, in memory and in the spool, and the callers that wait for one of them."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count, islice
from typing import Final

from telemetry.jobs.recorder.open_runs import OpenRuns
from telemetry.jobs.recorder.queued_run import QueueBalance, QueuedRun
from telemetry.jobs.recorder.spool import Spool, SpoolFull, SpoolPosition
from telemetry.jobs.recorder.spool_codec import encode
from telemetry.jobs.run import JobRun, shortened
from telemetry.threads.worker_thread import Step

MAX_MEMORY_BYTES: Final = 32 * 2**20
"""Limit of the runs in memory, as they would be in the spool."""


class RunQueue:
    """A first-in, first-out queue. The condition `changed` guards it, and is notified of each change.

    Its lock is reentrant, since the garbage collector may close a generator at any time, which ends the run inside it. The lock
    is not held while the disk is used: `on_disk` runs these steps, in order and in the thread that calls `put`.

    Attributes:
        capacity: how many runs are kept in memory; further ones are read from the spool when it is their turn.
        spool_error: why the spool rejected the last run; None if it did not.
        unspooled: how many runs the spool rejected, by reason.
    """

    def __init__(
        self,
        capacity: int,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_disk: Callable[[Step], object] = lambda step: step(),
    ) -> None:
        self.capacity = capacity
        self.spool = spool
        self.changed = threading.Condition(threading.RLock())
        self.spool_error: Exception | None = None
        self.unspooled: Counter[str] = Counter()
        self._clock = clock
        self._on_disk = on_disk
        self._received = self._written = self._dropped = self._abandoned = 0
        self._is_closed = False
        self._queue: deque[QueuedRun] = deque()
        self._in_memory = self._memory_bytes = 0
        self._numbers = count()
        self._last_entries: dict[str, int] = {}  # run id to the number of its newest entry
        self._open = OpenRuns(clock)
        self._waiters: dict[Callable[[], None], str] = {}
        self._is_stalled = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, run: JobRun) -> int:
        """Append the run. Returns how many were rejected for lack of room. One thread calls it; no lock is held for the disk."""
        position = None if self._is_closed else self._append_to_spool(run)
        with self.changed:
            self._received += 1
            kept, size = self._fitting(run, position)
            if self._is_closed or (position is None and kept is None):
                self._dropped += 1
                self._open.discard(run.run_id)  # else its heartbeat would be renewed for ever
                return 1
            number, is_end = next(self._numbers), run.finished_at is not None
            self._last_entries[run.run_id] = number
            if not is_end:
                self._open.add(run)
            self._queue.append(QueuedRun(number, run.run_id, is_end, kept, position, self._clock(), size))
            self._in_memory += kept is not None
            self._memory_bytes += size
            self.changed.notify_all()
            return 0

    def _fitting(self, run: JobRun, position: SpoolPosition | None) -> tuple[JobRun | None, int]:
        """The run and its size if there is room in memory. For an end whose start was taken there always is, for a shorter one."""
        size = position.length if position is not None else len(encode(run))
        if self._in_memory < self.capacity and self._memory_bytes + size <= MAX_MEMORY_BYTES:
            return run, size
        if position is None and run.finished_at is not None and run.run_id in self._open:
            return (short := shortened(run)), len(encode(short))
        return None, 0

    def _append_to_spool(self, run: JobRun) -> SpoolPosition | None:
        if self.spool is None:
            return None
        try:
            position = self.spool.append(run)
        except Exception as error:  # noqa: BLE001  # whatever the disk does, the run is kept in memory
            self.spool_error = error
            self.unspooled["full" if isinstance(error, SpoolFull) else "disk"] += 1
            return None
        self.spool_error = None
        return position

    def peek(self, limit: int) -> list[QueuedRun]:
        """The oldest entries, at most `limit`. They stay in the queue, and count as pending, until they are acknowledged."""
        with self.changed:
            return list(islice(self._queue, limit))

    def read(self, entry: QueuedRun) -> JobRun | None:
        """The run of an entry; None if the disk cannot be read. Holds no lock while it reads."""
        if entry.run is None and self.spool is not None and entry.position is not None:
            return self.spool.read(entry.position)
        return entry.run

    def acknowledge(self, number: int, dropped: int = 0) -> None:
        """Remove the oldest entries: they are written, or given up. Does nothing after `close`.

        Args:
            number: how many entries are done.
            dropped: how many of these were given up.
        """
        with self.changed:
            if self._is_closed:
                return
            self._written += number - dropped
            self._dropped += dropped
            positions = [self._remove(self._queue.popleft()) for _ in range(number)]
            self._is_stalled = False
            self.changed.notify_all()
            waiters = [wake for wake, run_id in self._waiters.items() if run_id not in self._last_entries]
        _wake(waiters)
        self._on_disk(lambda: self._acknowledge_on_disk(positions))

    def _acknowledge_on_disk(self, positions: list[SpoolPosition | None]) -> None:
        for position in positions:
            if position is not None and self.spool is not None:
                for segment in self.spool.acknowledge(position):
                    segment.remove()

    def _remove(self, entry: QueuedRun) -> SpoolPosition | None:
        self._in_memory -= entry.run is not None
        self._memory_bytes -= entry.size
        if self._last_entries.get(entry.run_id) == entry.number:
            del self._last_entries[entry.run_id]
        if entry.is_end:
            self._open.discard(entry.run_id)
        return entry.position

    def open_runs(self) -> list[str]:
        """The ids of the runs that have started, and whose end is not in the database yet."""
        with self.changed:
            return self._open.ids()

    def time_left(self) -> dict[str, timedelta]:
        """See `OpenRuns`."""
        with self.changed:
            return self._open.time_left()

    def balance(self) -> QueueBalance:
        with self.changed:
            return QueueBalance(
                self._received, self._written, self._dropped + self._abandoned, len(self._queue) - self._abandoned
            )

    def close(self) -> int:
        """Reject further runs, close the spool and wake all waiters. Returns how many runs were in memory only."""
        with self.changed:
            unsafe = 0 if self._is_closed else sum(entry.position is None for entry in self._queue)
            self._is_closed = True
            self._abandoned += unsafe
            spool, self.spool = self.spool, None
            self.changed.notify_all()
        self.release_waiters()
        if spool is not None:
            spool.close()
        return unsafe

    def oldest_age(self) -> float:
        """For how many seconds the oldest entry has been in the queue; 0 if it is empty."""
        with self.changed:
            return max(0.0, self._clock() - self._queue[0].enqueued_at) if self._queue else 0.0

    def release_waiters(self) -> None:
        """Wake all waiters; `wait` returns at once until an entry is acknowledged again."""
        with self.changed:
            self._is_stalled = True
            waiters = list(self._waiters)
        _wake(waiters)

    def wait(self, run_id: str, timeout: float) -> bool:
        """Wait until all records of this run are written.

        Args:
            run_id: the run.
            timeout: in seconds.

        Returns:
            Whether they are; False after the timeout, or if the waiters were released.
        """
        done = threading.Event()
        if self._add_waiter(run_id, done.set):
            done.wait(timeout)
            self._remove_waiter(done.set)
        return run_id not in self._last_entries

    async def wait_async(self, run_id: str, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Like `wait`, without a thread and without blocking the event loop."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nothing waits there any more
                loop.call_soon_threadsafe(_resolve, done)

        if self._add_waiter(run_id, wake):
            late = loop.call_later(timeout, _resolve, done)
            try:
                await done
            finally:
                late.cancel()
                self._remove_waiter(wake)
        return run_id not in self._last_entries

    def _add_waiter(self, run_id: str, wake: Callable[[], None]) -> bool:
        with self.changed:
            if run_id not in self._last_entries or self._is_stalled:
                return False
            self._waiters[wake] = run_id
            return True

    def _remove_waiter(self, wake: Callable[[], None]) -> None:
        with self.changed:
            self._waiters.pop(wake, None)


def _wake(waiters: list[Callable[[], None]]) -> None:
    """Call these outside the lock: they may take other locks."""
    for wake in waiters:
        wake()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
