"""RuleEvaluator: one of the machine's processes looks after what lasts: the database, the disks and the memory, and the jobs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.rules.database_down import DatabaseDownRule
from telemetry.alerts.rules.job_failures import JobFailuresRule
from telemetry.periodic import PeriodicTask

FIRST_EVALUATION: Final = 2.0
EVALUATION_INTERVAL: Final = 5.0
"""Seconds: before the first look, which a process that is soon over need not take; between two of them."""
RESOURCES_INTERVAL: Final = 30.0
JOBS_INTERVAL: Final = 10.0
_LEASE: Final = 4 * EVALUATION_INTERVAL
_WATCHER: Final = "watcher"


@dataclass(frozen=True, slots=True)
class Rules:
    database: DatabaseDownRule
    jobs: JobFailuresRule
    resources: Callable[[], object]


class RuleEvaluator:
    """`look` is one round; each thing is looked at as often as it needs."""

    def __init__(self, looks: Rules, leases: OutboxLeases, holder: str, clock: Callable[[], float] = time.time) -> None:
        self._leases = leases
        self._holder = holder
        self._clock = clock
        self._database = looks.database
        self._each: Mapping[str, tuple[float, Callable[[], object]]] = {
            "resources": (RESOURCES_INTERVAL, looks.resources),
            "jobs": (JOBS_INTERVAL, looks.jobs.look),
        }
        self._looked: dict[str, float] = {"jobs": clock()}  # whoever starts may have to make their table first
        self._born = clock()

    def rounds(self) -> PeriodicTask:
        return PeriodicTask(self.look, EVALUATION_INTERVAL, "Watching for alerts")

    def look(self) -> None:
        now = self._clock()
        if now - self._born < FIRST_EVALUATION or not self._leases.take(_WATCHER, self._holder, now, _LEASE):
            return
        answers = self._database.look()
        for name, (each, look) in self._each.items():
            if abs(now - self._looked.get(name, -each)) >= each and (answers or name != "jobs"):
                self._looked[name] = now
                look()
