"""Evaluates the rules periodically, in one process of the machine at a time."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.rules.database_down import DatabaseDownRule
from telemetry.alerts.rules.job_failures import JobFailuresRule
from telemetry.logs.background import handler_guard
from telemetry.periodic import PeriodicTask
from telemetry.processes import forks

FIRST_EVALUATION: Final = 2.0
"""Seconds before the first evaluation; a process that ends sooner evaluates nothing."""
EVALUATION_INTERVAL: Final = 5.0
RESOURCES_INTERVAL: Final = 30.0
JOBS_INTERVAL: Final = 10.0
_LEASE_SECONDS: Final = 4 * EVALUATION_INTERVAL
_LEASE_NAME: Final = "watcher"


@dataclass(frozen=True, slots=True)
class Rules:
    database: DatabaseDownRule
    jobs: JobFailuresRule
    resources: Callable[[], object]


class RuleEvaluator(forks.ForkAware):
    """Evaluates the database rule in each round, the others at their intervals."""

    def __init__(self, rules: Rules, leases: OutboxLeases, holder: str, clock: Callable[[], float] = time.time) -> None:
        self._leases = leases
        self._holder = holder
        self._clock = clock
        self._database = rules.database
        self._others: Mapping[str, tuple[float, Callable[[], object]]] = {
            "resources": (RESOURCES_INTERVAL, rules.resources),
            "jobs": (JOBS_INTERVAL, rules.jobs.evaluate),
        }
        self._evaluated_at: dict[str, float] = {"jobs": clock()}  # the table of runs may not exist yet
        self._created_at = clock()
        self._had_lease = False
        self._failing_since: float | None = None
        forks.register(self)

    def restart_in_child(self) -> None:
        """The lease is the parent's."""
        self._holder, self._had_lease = f"{self._holder}:{forks.current_process()}", False

    def periodic_task(self) -> PeriodicTask:
        return PeriodicTask(self.evaluate, EVALUATION_INTERVAL, "Watching for alerts")

    def evaluate(self) -> None:
        """Run one round: nothing while another process has the lease, and no job rule while the database is down.

        Before that, what other code has done to logging is put right: alerts come from there.
        """
        handler_guard.restore()
        now = self._clock()
        if 0 <= now - self._created_at < FIRST_EVALUATION:
            return
        if not self._is_ours(now):
            return
        is_database_up = self._database.evaluate()
        for name, (interval, evaluate) in self._others.items():
            is_due = abs(now - self._evaluated_at.get(name, -interval)) >= interval
            if is_due and (is_database_up or name != "jobs"):
                self._evaluated_at[name] = now
                evaluate()

    def _is_ours(self, now: float) -> bool:
        """Whether this process evaluates: by the lease, or, while the disk takes none, by a lock that needs no space.

        The process that had the lease knows what was sent; the others give it the time of a lease to take the lock.
        """
        try:
            self._had_lease = self._leases.acquire(_LEASE_NAME, self._holder, now, _LEASE_SECONDS)
        except (sqlite3.Error, OSError):
            self._failing_since = now if self._failing_since is None else self._failing_since
            is_late = abs(now - self._failing_since) >= _LEASE_SECONDS
            return (self._had_lease or is_late) and self._leases.lock()
        self._failing_since = None
        self._leases.unlock()
        return self._had_lease
