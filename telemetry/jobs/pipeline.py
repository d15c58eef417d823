"""JobPipeline: everything that keeps the runs of one process: in order, on the disk, in the database, and looked after."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Final

from opentelemetry.metrics import Meter
from sqlalchemy.engine import Engine

from telemetry import semconv
from telemetry.database import dedicated_engine
from telemetry.failsafe import failsafe
from telemetry.instruments import Instruments
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.recorder.self_metrics import RecorderMetrics
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.settings import JOBS_COMPONENT

SPOOL_DIRECTORY: Final = Path("spool", "job_runs")


class JobPipeline:
    """They have connections of their own: jobs that hold all others keep no record waiting, and no sign of life."""

    def __init__(
        self, engine: Engine, data_dir: Path, instruments: Instruments, component: str = JOBS_COMPONENT
    ) -> None:
        """`component` is that of the alerts about jobs."""
        directory = data_dir / SPOOL_DIRECTORY
        self._shared = engine
        self._engine = dedicated_engine(engine)
        self._instruments = instruments
        self._accounts = RecorderMetrics(instruments)
        self.store = JobRunRepository(engine)
        self.recorder = Recorder(
            JobRunRepository(self._engine).write,
            spool=lambda: Spool(directory),
            dropped=self._accounts.dropped,
        )
        self.reaper = Reaper(self._engine, directory, self.recorder.open_runs, self._accounts, component=component)

    @failsafe
    def record(self, run: JobRun) -> None:
        """Also in a child after a fork, which has none of its parent's threads."""
        self.recorder.record(run)
        self.reaper.start()

    def declare(self, job_names: Iterable[str]) -> None:
        """Make the series of jobs before their first run: `rate()` does not see an event that makes its series."""
        for job_name in job_names:
            for status in (semconv.STATUS_SUCCESS, semconv.STATUS_FAILED):
                self._instruments.job_runs.add(0, {semconv.JOB_NAME: job_name, semconv.JOB_STATUS: status})
            self._instruments.runs_lost.add(0, {semconv.JOB_NAME: job_name})

    def restore_last_runs(self, job_names: Iterable[str]) -> None:
        """Read from the database when each job last succeeded and last failed, and show it from now on."""
        gauges = {
            semconv.STATUS_SUCCESS: self._instruments.job_last_success,
            semconv.STATUS_FAILED: self._instruments.job_last_failure,
        }
        for job_name, (status, gauge) in product(job_names, gauges.items()):
            for run in self.store.page(job_name=job_name, status=status, limit=1):
                ended = run.finished_at or run.started_at
                gauge.set(ended.timestamp(), {semconv.JOB_NAME: job_name})

    def observe(self, meter: Meter) -> None:
        self._accounts.observe(meter, self.recorder, self.reaper.heir)

    def shutdown(self, deadline: float) -> bool:
        """Write what waits, within so many seconds; whether all of it was."""
        self.reaper.stop()
        written = self.recorder.shutdown(deadline)
        if self._engine is not self._shared:
            self._engine.dispose()
        return written
