"""Watch: one of the machine's processes looks after what lasts: the database, the disks and the memory, and the jobs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.leases import Leases
from telemetry.alerts.rules.database_down import DatabaseLook
from telemetry.alerts.rules.job_failures import JobsLook
from telemetry.periodic import Rounds

FIRST: Final = 2.0
EVERY: Final = 5.0
"""Seconds: before the first look, which a process that is soon over need not take; between two of them."""
RESOURCES_EACH: Final = 30.0
JOBS_EACH: Final = 10.0
_LEASE: Final = 4 * EVERY
_WATCHER: Final = "watcher"


@dataclass(frozen=True, slots=True)
class Looks:
    database: DatabaseLook
    jobs: JobsLook
    resources: Callable[[], object]


class Watch:
    """`look` is one round; each thing is looked at as often as it needs."""

    def __init__(self, looks: Looks, leases: Leases, holder: str, clock: Callable[[], float] = time.time) -> None:
        self._leases = leases
        self._holder = holder
        self._clock = clock
        self._database = looks.database
        self._each: Mapping[str, tuple[float, Callable[[], object]]] = {
            "resources": (RESOURCES_EACH, looks.resources),
            "jobs": (JOBS_EACH, looks.jobs.look),
        }
        self._looked: dict[str, float] = {"jobs": clock()}  # whoever starts may have to make their table first
        self._born = clock()

    def rounds(self) -> Rounds:
        return Rounds(self.look, EVERY, "Watching for alerts")

    def look(self) -> None:
        now = self._clock()
        if now - self._born < FIRST or not self._leases.take(_WATCHER, self._holder, now, _LEASE):
            return
        answers = self._database.look()
        for name, (each, look) in self._each.items():
            if abs(now - self._looked.get(name, -each)) >= each and (answers or name != "jobs"):
                self._looked[name] = now
                look()
