"""Concurrent shutdown within one deadline: a step that hangs does not take the time of the others.

From Python 3.12 on, no thread can be started once the interpreter ends. The threads of the shutdown are therefore started with
the telemetry, and wait for their work.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, TypeVar

from telemetry.processes import forks

MAX_CONCURRENT_STEPS: Final = 6
Step = Callable[[], object]
_log: Final = logging.getLogger(__name__)
_END: Final = None
T = TypeVar("T")


def attempt(name: str, step: Callable[[], T]) -> T | None:
    """Run one step of a shutdown. Whatever it raises is a warning that names it, and the next step follows."""
    try:
        return step()
    except BaseException:  # noqa: BLE001  # also a cancellation or a SystemExit: unsent signals must not be lost by it
        _log.warning("Shutdown: %s failed; the other steps continue.", name, exc_info=True)
        return None


class ShutdownThreads(forks.ForkAware):
    """Daemon threads that run the steps of one shutdown, also while the interpreter ends."""

    def __init__(self, number: int = MAX_CONCURRENT_STEPS) -> None:
        """Start the threads, also in each forked child, which has none of its parent's.

        Args:
            number: how many steps can run at once; further ones wait until another has ended.
        """
        self._number = number
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        """Without shared state: the queue of a parent may be locked for ever in its child."""
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._add_missing()

    def _add_missing(self) -> None:
        with suppress(RuntimeError):  # no thread can be started: the machine has too many, or the interpreter ends
            while len(self._threads) < self._number:
                thread = threading.Thread(target=_work, args=(self._tasks,), name="telemetry-shutdown", daemon=True)
                thread.start()
                self._threads.append(thread)

    def run(self, steps: Mapping[str, Step], deadline: float) -> list[str]:
        """Run the steps at once, wait up to `deadline` seconds for all of them, and end the threads. A second call does nothing.

        Returns:
            The names of the steps that were not done in time; their threads go on.
        """
        if not self._number:
            return []
        end = time.monotonic() + deadline
        self._add_missing()
        done = {name: threading.Event() for name in steps}
        for name, step in steps.items():
            self._tasks.put(_guarded(name, step, done[name]))
        for _ in range(self._number):
            self._tasks.put(_END)
        self._number = 0
        for event in done.values() if self._threads else ():
            event.wait(max(0.0, end - time.monotonic()))
        late = [name for name, event in done.items() if not event.is_set()]
        if late:
            _log.warning("Not flushed within %.1f s: %s.", deadline, ", ".join(late))
        return late


def _work(tasks: "SimpleQueue[Callable[[], None] | None]") -> None:
    while task := tasks.get():
        task()


def _guarded(name: str, step: Step, done: threading.Event) -> Callable[[], None]:
    def run() -> None:
        try:
            step()
        except BaseException:  # noqa: BLE001  # a failed step must not keep the others from being flushed
            _log.warning("Flushing %s failed.", name, exc_info=True)
        finally:
            done.set()

    return run
