"""A worker thread: runs steps one after the other, so that the code that asks for them waits for no disk, pipe or lock.

Python may run a signal handler or a finalizer between any two steps, and both may log. A caller takes no lock here that the
code it interrupted may hold: `SimpleQueue.put` is reentrant, and each caller that waits has a lock of its own.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from telemetry.processes import forks
from telemetry.threads.daemon import is_started

Step: TypeAlias = Callable[[], object]
_threads: Final[set[int]] = set()


def is_worker_thread() -> bool:
    """Whether this is the thread of a worker, which must not wait for one."""
    return threading.get_ident() in _threads


def is_on_event_loop() -> bool:
    """Whether this thread runs an event loop, so that all its tasks wait when this one does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Receipt:
    """Lets one caller wait until its step is done."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=max(0.0, timeout))

    def give(self) -> None:
        self._lock.release()


@dataclass(frozen=True, slots=True)
class _Item:
    """A step to run in the context of its caller."""

    step: Step
    context: Context
    receipt: Receipt


_Queue: TypeAlias = "SimpleQueue[_Item | None]"
"""Each None stands for one more unit of the step before it."""


class WorkerThread(forks.ForkAware):
    """Where no thread can be started, because the interpreter ends, the caller runs its step.

    Attributes:
        is_behind: whether a caller waited in vain, and the queue has not been empty since: no other one should wait.
    """

    def __init__(self, name: str, forget_open: Step = lambda: None) -> None:
        """Create the worker; its thread starts with the first step, also in a forked child.

        Args:
            name: of the thread.
            forget_open: called in a forked child, to forget what is open: it is the parent's, whose thread may be in the midst
                of a step.
        """
        self._name = name
        self._forget_open = forget_open
        self._reset()
        forks.register(self)

    def _reset(self) -> None:
        self.is_behind = self._is_ending = self._is_paused = False
        self._queue: _Queue = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting, self._running = threading.Lock(), threading.Lock()

    @property
    def size(self) -> int:
        """How many units are queued."""
        return self._queue.qsize()

    def put(self, step: Step, units: int = 1) -> Receipt:
        """Queue a step. Its errors are its own business: they are suppressed."""
        item = _Item(step, copy_context(), Receipt())
        self._queue.put(item)
        for _ in range(units - 1):
            self._queue.put(None)
        self._ensure_progress()
        return item.receipt

    def wait(self, receipt: Receipt, timeout: float) -> bool:
        """Wait for a step, unless the worker is behind. Returns whether the step is done."""
        if is_worker_thread():
            return False
        is_done = receipt.wait(0 if self.is_behind else timeout)
        if not is_done:
            self.is_behind = True
        return is_done

    async def wait_for_all(self, timeout: float) -> bool:  # noqa: ASYNC109  # a timeout is a result, not an error
        """Wait for the steps so far without blocking the event loop. Returns whether they are done."""
        if self.is_behind:
            return False
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed: nothing waits there any more
                loop.call_soon_threadsafe(_resolve, done, True)

        self.put(tell)
        late = loop.call_later(timeout, _resolve, done, False)
        try:
            is_done = await done
        finally:
            late.cancel()
        if not is_done:
            self.is_behind = True
        return is_done

    def end(self) -> None:
        """End the thread when the queue is empty. Only a step calls it. A later step starts the thread again."""
        self._is_ending = True

    def _has_thread(self) -> bool:
        """Start the thread if there is none and steps are queued. False if that is not possible.

        A step may be queued while another caller starts the thread, or while the thread ends. Both look at the queue again.
        """
        if sys.is_finalizing():
            return False
        while not (self._is_alive() or self._queue.empty()):
            if not self._starting.acquire(blocking=False):
                return True
            try:
                if not self._is_alive() and not self._starts():
                    return False
            finally:
                self._starting.release()
        return True

    def _is_alive(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _starts(self) -> bool:
        queue, self._is_ending = self._queue, False
        self._thread = threading.Thread(target=lambda: self._serve(queue), name=self._name, daemon=True)
        return is_started(self._thread)

    def _serve(self, queue: _Queue) -> None:
        _threads.add(threading.get_ident())
        try:
            self._run_until_ended(queue)
            self._thread = None
            self._ensure_progress()
        finally:
            _threads.discard(threading.get_ident())

    def _run_until_ended(self, queue: _Queue) -> None:
        while not self._is_ending or not queue.empty():
            box = [queue.get()]
            with self._running:
                self._run_next(box.pop)
            if queue.empty():
                self.is_behind = False

    def _ensure_progress(self) -> None:
        """Let the thread run the queued steps, or the caller where none can be started."""
        if not self._has_thread():
            self._run_queued()

    def _run_queued(self) -> None:
        """Run steps in the caller's thread. One that interrupts this leaves its step to the one that it interrupted."""
        while not self._queue.empty() and self._running.acquire(blocking=False):
            try:
                self._run_next(self._queue.get_nowait)
            finally:
                self._running.release()

    def _run_next(self, get: Callable[[], _Item | None]) -> None:
        with suppress(Empty):
            if (item := get()) is None:
                return
            with suppress(Exception):  # an edge: see `put`
                item.context.run(item.step)
            receipt = item.receipt
            del item  # its objects are freed by the caller, since some may be closed in the caller's thread only
            receipt.give()

    def pause(self, timeout: float) -> None:
        """Let no step be half done while the process forks, if the current one ends within `timeout` seconds."""
        self._is_paused = self._running.acquire(timeout=timeout)

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._running.release()

    def restart_in_child(self) -> None:
        """The steps that are queued are the parent's."""
        _threads.clear()
        self._forget_open()
        self._reset()


def _resolve(future: "asyncio.Future[bool]", value: bool) -> None:  # noqa: FBT001  # `call_later` passes it by position
    if not future.done():
        future.set_result(value)
