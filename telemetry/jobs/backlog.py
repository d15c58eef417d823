"""Backlog: the runs that wait to be written, in their order, and whoever waits for one of them."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count, islice

from telemetry.jobs.run import JobRun


class Backlog:
    """`changed` guards it, and is notified of each change.

    Its lock is reentrant, since the garbage collector may close a generator, and so end the run in it, at any moment.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[int, JobRun]] = deque()
        self._numbers = count()
        self._pending: dict[str, int] = {}  # for each run that waits, the number of its last entry
        self._watchers: dict[Callable[[], None], str] = {}
        self._is_stuck = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, run: JobRun) -> bool:
        """Append the run; False when there is no room."""
        with self.changed:
            if len(self._queue) >= self.capacity:
                return False
            number = next(self._numbers)
            self._pending[run.run_id] = number
            self._queue.append((number, run))
            self.changed.notify_all()
            return True

    def oldest(self, limit: int) -> list[JobRun]:
        """They stay until they are settled, and so count as waiting while they are being written."""
        with self.changed:
            return [run for _number, run in islice(self._queue, limit)]

    def settle(self, number: int) -> None:
        """The oldest so many are written, or given up."""
        with self.changed:
            for last, run in [self._queue.popleft() for _ in range(number)]:
                if self._pending.get(run.run_id) == last:
                    del self._pending[run.run_id]
            self._is_stuck = False
            self.changed.notify_all()
            told = [tell for tell, run_id in self._watchers.items() if run_id not in self._pending]
        _tell(told)

    def release(self) -> None:
        """Whoever waits goes on, and nobody waits again until something is settled."""
        with self.changed:
            self._is_stuck = True
            told = list(self._watchers)
        _tell(told)

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


def _tell(told: list[Callable[[], None]]) -> None:
    """Outside the lock: who is told may take others."""
    for tell in told:
        tell()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
