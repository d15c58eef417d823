"""RunQueue: the runs that wait to be written, in their order, and whoever waits for one of them."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice

from telemetry.jobs.recorder.spool import Segment, Spool, SpoolFull, SpoolPosition
from telemetry.jobs.run import JobRun


@dataclass(frozen=True, slots=True)
class QueueBalance:
    """Of records, of which a run has two: its start and its end. `received` is the sum of the other three."""

    received: int
    written: int
    dropped: int
    waiting: int


@dataclass(slots=True)
class QueuedRun:
    """A run that waits: in memory, in the spool, or in both. `since` is by the backlog's clock."""

    number: int
    run_id: str
    ends: bool
    run: JobRun | None
    place: SpoolPosition | None
    since: float


class RunQueue:
    """`changed` guards it, and is notified of each change.

    Its lock is reentrant, since the garbage collector may close a generator, and so end the run in it, at any moment: also while
    another run is being taken.

    Attributes:
        capacity: how many runs are kept in memory; beyond that they are read from the spool when it is their turn.
        trouble: why the spool did not take the last run; None when it did.
        unspooled: how many runs it did not take, by the reason.
    """

    def __init__(self, capacity: int, spool: Spool | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.capacity = capacity
        self.spool = spool
        self.changed = threading.Condition(threading.RLock())
        self.trouble: Exception | None = None
        self.unspooled: Counter[str] = Counter()
        self._clock = clock
        self._received = self._written = self._dropped = self._ended = 0
        self._is_closed = False
        self._queue: deque[QueuedRun] = deque()
        self._arriving: deque[JobRun] = deque()
        self._is_taking = False
        self._in_memory = 0
        self._numbers = count()
        self._pending: dict[str, int] = {}  # for each run that waits, the number of its last entry
        self._open: dict[str, None] = {}
        self._watchers: dict[Callable[[], None], str] = {}
        self._is_stuck = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, run: JobRun) -> int:
        """Append the run, and whatever is handed over meanwhile. Returns how many of these there was no room for."""
        with self.changed:
            self._arriving.append(run)
            if self._is_taking:
                return 0
            self._is_taking, refused = True, 0
            try:
                while self._arriving:
                    refused += not self._take(self._arriving.popleft())
            finally:
                self._is_taking = False
            self.changed.notify_all()
            return refused

    def _take(self, run: JobRun) -> bool:
        self._received += 1
        place, fits = None if self._is_closed else self._spooled(run), self._in_memory < self.capacity
        if self._is_closed or (place is None and not fits):
            self._dropped += 1
            return False
        number, ends = next(self._numbers), run.finished_at is not None
        self._pending[run.run_id] = number
        if not ends:
            self._open[run.run_id] = None
        self._queue.append(QueuedRun(number, run.run_id, ends, run if fits else None, place, self._clock()))
        self._in_memory += fits
        return True

    def _spooled(self, run: JobRun) -> SpoolPosition | None:
        if self.spool is None:
            return None
        try:
            place = self.spool.append(run)
        except Exception as error:  # noqa: BLE001  # whatever the disk does, the run goes on
            self.trouble = error
            self.unspooled["full" if isinstance(error, SpoolFull) else "disk"] += 1
            return None
        self.trouble = None
        return place

    def oldest(self, limit: int) -> list[QueuedRun]:
        """They stay until they are settled, and so count as waiting while they are being written."""
        with self.changed:
            return list(islice(self._queue, limit))

    def read(self, entry: QueuedRun) -> JobRun | None:
        """The run; None when the disk does not give it back. It takes no lock: nobody waits for the disk with it."""
        if entry.run is None and self.spool is not None and entry.place is not None:
            return self.spool.read(entry.place)
        return entry.run

    def settle(self, number: int, dropped: int = 0) -> None:
        """The oldest so many are written, but for those that are given up. Nothing is when that comes too late."""
        done: list[Segment] = []
        with self.changed:
            if self._is_closed:
                return
            self._written += number - dropped
            self._dropped += dropped
            for entry in [self._queue.popleft() for _ in range(number)]:
                done += self._forget(entry)
            self._is_stuck = False
            self.changed.notify_all()
            told = [tell for tell, run_id in self._watchers.items() if run_id not in self._pending]
        _notify(told)
        for segment in done:
            segment.remove()

    def _forget(self, entry: QueuedRun) -> list[Segment]:
        self._in_memory -= entry.run is not None
        if self._pending.get(entry.run_id) == entry.number:
            del self._pending[entry.run_id]
        if entry.ends:
            self._open.pop(entry.run_id, None)
        return [] if entry.place is None or self.spool is None else self.spool.settle(entry.place)

    def open_runs(self) -> list[str]:
        """The ids of the runs that have begun, and whose end is not in the database yet."""
        with self.changed:
            return list(self._open)

    def balance(self) -> QueueBalance:
        with self.changed:
            return QueueBalance(
                self._received, self._written, self._dropped + self._ended, len(self._queue) - self._ended
            )

    def close(self) -> int:
        """Take no more, let go of the spool, and let whoever waits go on. Returns how many were in memory alone."""
        with self.changed:
            unsafe = 0 if self._is_closed else sum(entry.place is None for entry in self._queue)
            self._is_closed = True
            self._ended += unsafe
            spool, self.spool = self.spool, None
            self.changed.notify_all()
        self.release()
        if spool is not None:
            spool.close()
        return unsafe

    def age(self) -> float:
        """For how many seconds the oldest has waited."""
        with self.changed:
            return max(0.0, self._clock() - self._queue[0].since) if self._queue else 0.0

    def release(self) -> None:
        """Whoever waits goes on, and nobody waits again until something is settled."""
        with self.changed:
            self._is_stuck = True
            told = list(self._watchers)
        _notify(told)

    def wait(self, run_id: str, timeout: float) -> bool:
        """Wait until nothing of this run is left to write; False when that takes too long, or is given up."""
        settled = threading.Event()
        if self._watch(run_id, settled.set):
            settled.wait(timeout)
            self._unwatch(settled.set)
        return run_id not in self._pending

    async def wait_async(self, run_id: str, timeout: float) -> bool:  # noqa: ASYNC109  # it is an answer here, no error
        """The same, without a thread and without blocking the event loop."""
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(_resolve, settled)

        if self._watch(run_id, tell):
            late = loop.call_later(timeout, _resolve, settled)
            try:
                await settled
            finally:
                late.cancel()
                self._unwatch(tell)
        return run_id not in self._pending

    def _watch(self, run_id: str, tell: Callable[[], None]) -> bool:
        with self.changed:
            if run_id not in self._pending or self._is_stuck:
                return False
            self._watchers[tell] = run_id
            return True

    def _unwatch(self, tell: Callable[[], None]) -> None:
        with self.changed:
            self._watchers.pop(tell, None)


def _notify(told: list[Callable[[], None]]) -> None:
    """Outside the lock: who is told may take others."""
    for tell in told:
        tell()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
