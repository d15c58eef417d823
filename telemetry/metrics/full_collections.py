"""Postpones full garbage collections while a page is made: each visits all objects of the process, and holds the GIL.

A page of 10,000 series makes a million short-lived objects, for which the interpreter would collect everything several times.
Collections of young objects go on. Nothing waits for long: the objects of a page are freed without a collection.
"""

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from telemetry.processes import forks

_NEVER: Final = 1_000_000


class FullCollections(forks.ForkAware):
    """The threshold of the oldest generation, which several threads may want to raise at the same time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._original = 0
        forks.register(self)

    def restart_in_child(self) -> None:
        """The threads that make a page are the parent's."""
        self._lock = threading.RLock()
        if self._users:
            self._users = 0
            self._restore()

    @contextmanager
    def postponed(self) -> Generator[None]:
        """Postpone full collections; the last of several concurrent users restores the threshold."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._raise()
        try:
            yield
        finally:
            with self._lock:
                if self._users == 1:
                    self._restore()
                self._users = max(0, self._users - 1)

    def _raise(self) -> None:
        young, middle, self._original = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)

    def _restore(self) -> None:
        """Unless the application has set another threshold meanwhile."""
        young, middle, oldest = gc.get_threshold()
        if oldest == _NEVER:
            gc.set_threshold(young, middle, self._original)


FULL_COLLECTIONS: Final = FullCollections()
