"""One thread of the process that looks for what hangs. It starts with the first watcher, and ends with the last."""

import threading
import weakref
from typing import Final, Protocol

from opentelemetry import context

from telemetry.failsafe import failsafe
from telemetry.processes import forks
from telemetry.sdk.trace_suppression import suppressed_context
from telemetry.threads.daemon import start_daemon

_LONGEST_WAIT: Final = 3600.0
_SHORTEST_WAIT: Final = 0.05


class Watcher(Protocol):
    def look(self) -> float:
        """Take the stacks of what hangs. Returns the seconds until the next look."""


class HangWatch(forks.ForkAware):
    """Calls each watcher when it wants to look. It keeps none of them alive.

    A forked child watches what is added in it: requests and runs that were active in the parent are the parent's.
    """

    def __init__(self) -> None:
        self._watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._is_changed = False
        self._thread: threading.Thread | None = None

    def add(self, watcher: Watcher) -> None:
        """Have a watcher look soon, and then as often as it says. Again: look sooner than it said."""
        with self._changed:
            self._watchers.add(watcher)
            self._wake()
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_daemon(self._run, "hang-watch")

    def remove(self, watcher: Watcher) -> None:
        with self._changed:
            self._watchers.discard(watcher)
            self._wake()

    def _wake(self) -> None:
        self._is_changed = True
        self._changed.notify_all()

    def _run(self) -> None:
        context.attach(suppressed_context())
        while (wait := self._look()) is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._is_changed, wait)
                self._is_changed = False

    def _look(self) -> float | None:
        """Returns the seconds until the next look; None if there is no watcher."""
        with self._changed:
            watchers = list(self._watchers)
            if not watchers:
                self._thread = None
                return None
        waits = [wait for each in watchers if (wait := failsafe(each.look)()) is not None]
        return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, min(waits, default=_LONGEST_WAIT)))


HANG_WATCH: Final = HangWatch()
