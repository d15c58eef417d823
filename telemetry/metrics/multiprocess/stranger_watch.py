"""Watches for processes that serve with a group and are not in it: a page lacks what they count."""

import time
from collections.abc import Callable
from typing import Final

from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.processes.strangers import find_strangers

INTERVAL: Final = 5.0
"""Seconds between two looks, which pages ask for."""
GRACE: Final = 10.0
"""Seconds that a process has to join its group."""


class StrangerWatch:
    """Tells whether there are such processes, for longer than one takes to join."""

    def __init__(self, registry: ProcessRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._since: dict[str, float] = {}
        self._next_look = 0.0

    def are_there(self) -> bool:
        """Whether the group lacks a process that serves with it.

        Raises:
            OSError: the data directory cannot be read.
        """
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + INTERVAL
            live = live_processes(self._registry.data_dir)
            found = find_strangers(entry.pid for entry in live if entry.group == self._registry.group)
            self._since = {name: self._since.get(name, now) for name in found}
        return any(now - since >= GRACE for since in self._since.values())
