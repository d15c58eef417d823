"""The background task that renews heartbeats, recovers spools of dead processes, and reports lost runs."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from telemetry import semconv
from telemetry.database import database_identity
from telemetry.environment.runbook import RunbookSection
from telemetry.jobs.liveness.heartbeat import HEARTBEAT_INTERVAL, Heartbeat
from telemetry.jobs.liveness.overdue_stacks import OverdueStacks
from telemetry.jobs.recorder.orphaned_spools import read_open_runs
from telemetry.jobs.recorder.recovery import RecoveryCounters, SpoolRecovery
from telemetry.jobs.store.running_runs import LostRun, RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow, TableCheck
from telemetry.periodic import PeriodicTask
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry
from telemetry.settings import JOBS_COMPONENT

REAP_INTERVAL: Final = 2.0  # seconds
_TASK_NAME: Final = "Looking after job runs"
_log = logging.getLogger(__name__)


class Reaper(forks.ForkAware):
    """Runs every `REAP_INTERVAL` seconds in a thread. Exactly one process reports each lost run."""

    def __init__(  # noqa: PLR0913, PLR0917  # its parts
        self,
        engine: Engine,
        directory: Path,
        registry: ProcessRegistry,
        own_runs: Callable[[], list[str]],
        counters: RecoveryCounters,
        clock: Callable[[], float] = time.monotonic,
        component: str = JOBS_COMPONENT,
        time_left: Callable[[], Mapping[str, timedelta]] = dict,
        stacks: OverdueStacks | None = None,
    ) -> None:
        """Create a reaper that is not started.

        Args:
            engine: the database of `job_runs`.
            directory: the spool directory, shared by all processes on this machine. `registry` tells which of them live.
            own_runs: returns the ids of this process's runs whose end is not in the database.
            counters: counts recovered, dropped and lost records. `clock` is monotonic, in seconds.
            time_left: returns how long those of these runs may go on that have a deadline. `stacks` has those of overdue ones.
        """
        self._engine = engine
        self._own_runs = own_runs
        self._counters = counters
        self._clock = clock
        self._component = component
        self._time_left = time_left
        self._stacks = stacks
        self._directory = directory
        self._registry = registry
        self._running_runs = RunningRuns(engine)
        stores = JobRunRepository(engine), self._running_runs
        database = database_identity(engine.url)
        self.recovery = SpoolRecovery(directory, registry.live_ids, *stores, counters, database)
        self._task: PeriodicTask | None = None
        self._has_table = TableCheck(engine, JobRunRow)
        self.restart_in_child()
        forks.register(self)

    def start(self) -> None:
        """Start the thread, once per process; a forked child has none of its parent's threads and starts its own."""
        if self._task is None:
            self._task = PeriodicTask(self.run_once, REAP_INTERVAL, _TASK_NAME)
            with suppress(RuntimeError):  # no thread can be started, such as while the interpreter ends
                self._task.start()

    def stop(self) -> None:
        """Stop the thread, if there is one, and wait briefly for its round to end."""
        task = self._task
        if task is not None:
            task.stop()

    def restart_in_child(self) -> None:
        self._task = None
        self._heartbeat = Heartbeat(
            self._running_runs, self._own_runs, lambda: read_open_runs(self._directory), self._time_left, self._stacks
        )
        self._next_heartbeat = self._clock()

    def run_once(self) -> None:
        """Renew heartbeats if they are due, and recover orphaned spools, as soon as the table exists.

        Raises:
            Exception: the database or the disk is unavailable.
        """
        self._registry.renew()
        if self._has_table():
            self._heartbeat_if_due()
            self._report_lost(self.recovery.recover(self._should_continue))

    def _heartbeat_if_due(self) -> None:
        if (now := self._clock()) >= self._next_heartbeat:
            self._report_lost(self._heartbeat.run_once())
            self._next_heartbeat = now + HEARTBEAT_INTERVAL

    def _should_continue(self) -> bool:
        """Whether recovery should go on; renews heartbeats between two batches, so that a long recovery makes no run stale."""
        self._heartbeat_if_due()
        return self._task is None or not self._task.is_stopping

    def _report_lost(self, lost: Iterable[LostRun]) -> None:
        jobs: dict[str, list[LostRun]] = defaultdict(list)
        for run in lost:
            jobs[run.job_name].append(run)
        for job_name, runs in jobs.items():
            number = "A run" if len(runs) == 1 else f"{len(runs)} runs"
            workers = ", ".join(sorted({run.worker for run in runs}))
            about = {"component": self._component, semconv.ALERT_SECTION: str(RunbookSection.RUNS_LOST)}
            _log.error(
                "%s of %s marked as lost: %s ended without finishing (killed, out of memory, or the host went down).",
                number,
                job_name,
                workers,
                extra=about,
            )
            self._counters.count_lost(job_name, len(runs))
