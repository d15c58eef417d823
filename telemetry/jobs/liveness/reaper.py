"""Reaper: looks after the rows that say "running": of this process, of those beside it, and of those that are gone."""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect

from telemetry.jobs.liveness.heartbeat import BEAT, Heartbeat
from telemetry.jobs.recorder.orphaned_spools import open_runs_of_others
from telemetry.jobs.recorder.recovery import RecoveryCounters, SpoolRecovery
from telemetry.jobs.store.running_runs import LostRun, RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow
from telemetry.periodic import PeriodicTask
from telemetry.settings import JOBS_COMPONENT

REAP_INTERVAL: Final = 2.0  # seconds
_WHAT: Final = "Looking after job runs"
_log = logging.getLogger(__name__)


class Reaper:
    """Of each run that was lost one process says so, once."""

    def __init__(  # noqa: PLR0913, PLR0917  # its parts
        self,
        engine: Engine,
        directory: Path,
        own: Callable[[], list[str]],
        counts: RecoveryCounters,
        clock: Callable[[], float] = time.monotonic,
        component: str = JOBS_COMPONENT,
    ) -> None:
        """`own` gives the ids of the runs of this process whose end is not in the database."""
        self._engine = engine
        self._own = own
        self._counts = counts
        self._clock = clock
        self._component = component
        self._directory = directory
        self._alive = RunningRuns(engine)
        self.heir = SpoolRecovery(directory, JobRunRepository(engine), self._alive, counts)
        self._rounds: PeriodicTask | None = None
        self._process = 0
        self._has_table = False
        self._begin_again()

    def start(self) -> None:
        """Once in a process; again in a child after a fork, which has none of its parent's threads."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._begin_again()
            self._rounds = PeriodicTask(self.look, REAP_INTERVAL, _WHAT)
            self._rounds.start()

    def stop(self) -> None:
        rounds = self._rounds
        if rounds is not None:
            rounds.stop()

    def _begin_again(self) -> None:
        self._pulse = Heartbeat(self._alive, self._own, lambda: open_runs_of_others(self._directory))
        self._due = self._clock()

    def look(self) -> None:
        """One look. Before the table is made there is nothing to look after.

        Raises:
            Exception: the database is away, or the disk.
        """
        self._has_table = self._has_table or inspect(self._engine).has_table(JobRunRow.__tablename__)
        if self._has_table:
            self._beat()
            self._say(self.heir.inherit(self._may_inherit))

    def _beat(self) -> None:
        if (now := self._clock()) >= self._due:
            self._say(self._pulse.go())
            self._due = now + BEAT

    def _may_inherit(self) -> bool:
        """However much is left: the runs of this process are not silent meanwhile."""
        self._beat()
        return self._rounds is None or not self._rounds.is_stopping

    def _say(self, lost: Iterable[LostRun]) -> None:
        jobs: dict[str, list[LostRun]] = defaultdict(list)
        for run in lost:
            jobs[run.job_name].append(run)
        for job_name, runs in jobs.items():
            number = "A run" if len(runs) == 1 else f"{len(runs)} runs"
            workers = ", ".join(sorted({run.worker for run in runs}))
            _log.error(
                "%s of %s lost: %s ended without a word.",
                number,
                job_name,
                workers,
                extra={"component": self._component},
            )
            self._counts.lost(job_name, len(runs))
