"""The job pipeline of a process: its recorder, reaper and metrics, wired together on a database engine of their own."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Final

from opentelemetry.metrics import Meter
from sqlalchemy.engine import Engine

from telemetry import semconv
from telemetry.database import EngineLimits, database_identity, dedicated_engine
from telemetry.failsafe import failsafe
from telemetry.instruments import Instruments
from telemetry.jobs.liveness.overdue_stacks import OverdueStacks
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.recorder.self_metrics import QUEUE_NAME, RecorderMetrics
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.processes.registry import ProcessRegistry
from telemetry.sdk.shutdown import attempt
from telemetry.settings import JOBS_COMPONENT

SPOOL_DIRECTORY: Final = Path("spool", "job_runs")
_LIMITS: Final = EngineLimits(pool_size=5, max_overflow=0)


class JobPipeline:
    """Records the runs of this process and watches over running ones.

    It uses its own database connections: jobs that hold every other connection delay neither records nor heartbeats.
    """

    def __init__(  # its parts
        self,
        engine: Engine,
        registry: ProcessRegistry,
        instruments: Instruments,
        component: str = JOBS_COMPONENT,
        is_on: bool = True,  # noqa: FBT001, FBT002  # a setting
    ) -> None:
        """`component` is that of the alerts about jobs. A pipeline that is off records nothing, and has no thread and no file."""
        self.is_on = is_on
        directory, database = registry.data_dir / SPOOL_DIRECTORY, database_identity(engine.url)
        self._caller_engine = engine
        self._engine = dedicated_engine(engine, _LIMITS, purpose="job_runs")
        self._instruments = instruments
        self._metrics = RecorderMetrics(instruments)
        self.store = JobRunRepository(engine)
        self.recorder = Recorder(
            JobRunRepository(self._engine).write,
            spool=(lambda: Spool(directory, registry, database=database)) if is_on else None,
            on_dropped=self._metrics.count_dropped,
        )
        self._stacks = OverdueStacks()
        self.reaper = Reaper(
            self._engine,
            directory,
            registry,
            self.recorder.open_runs,
            self._metrics,
            component=component,
            time_left=self.recorder.time_left,
            stacks=self._stacks,
        )

    @failsafe
    def record(self, run: JobRun) -> None:
        """Enqueue a run for writing, and start the threads of the recorder and the reaper if this process has none yet.

        A forked child has none of its parent's threads, so its first run starts them again. Never raises.
        """
        if self.is_on:
            self.recorder.record(self._stacks.noted(run))
            self.reaper.start()

    def start(self) -> None:
        """Start the thread that recovers the runs of dead processes."""
        if self.is_on:
            self.reaper.start()

    def declare(self, job_names: Iterable[str]) -> None:
        """Make the series of jobs before their first run: `rate()` does not see an event that makes its series."""
        for job_name in job_names:
            for status in (semconv.STATUS_SUCCESS, semconv.STATUS_FAILED):
                self._instruments.job_runs.add(0, {semconv.JOB_NAME: job_name, semconv.JOB_STATUS: status})
            self._instruments.runs_lost.add(0, {semconv.JOB_NAME: job_name})
            self._instruments.runs_skipped.add(0, {semconv.JOB_NAME: job_name})

    def restore_last_runs(self, job_names: Iterable[str]) -> None:
        """Read from the database when each job last succeeded and last failed, and show it from now on."""
        success = (semconv.STATUS_SUCCESS, semconv.OUTCOME_SUCCESS, self._instruments.job_last_success)
        failure = (semconv.STATUS_FAILED, None, self._instruments.job_last_failure)
        for job_name, (status, outcome, gauge) in product(job_names, (success, failure)):
            for run in self.store.page(job_name=job_name, status=status, outcome=outcome, limit=1):
                ended = run.finished_at or run.started_at
                gauge.set(ended.timestamp(), {semconv.JOB_NAME: job_name})

    def observe(self, meter: Meter) -> None:
        """Register the observable metrics of the recorder."""
        self._metrics.observe(meter, self.recorder, self.reaper.recovery)

    def queues(self) -> dict[str, Recorder]:
        """The queue of the runs that wait to be written, by its name."""
        return {QUEUE_NAME: self.recorder} if self.is_on else {}

    def foreign_databases(self) -> list[str]:
        """A sentence for each other database whose job runs are in the data directory, too.

        Raises:
            OSError: the directory cannot be read.
        """
        databases = self.reaper.recovery.databases
        return [databases.sentence(database) for database in sorted(databases.foreign())]

    def shutdown(self, timeout: float) -> bool:
        """Stop the reaper and write all queued runs.

        Args:
            timeout: in seconds; runs that are not written by then stay in the spool.

        Returns:
            Whether all of them were written.
        """
        attempt("the stacks of overdue runs", self._stacks.stop)
        attempt("the recovery of job runs", self.reaper.stop)
        written = not self.is_on or self.recorder.shutdown(timeout)
        if self._engine is not self._caller_engine:
            attempt("closing the database of job runs", self._engine.dispose)
        return written
