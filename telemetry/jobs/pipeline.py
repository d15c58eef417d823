"""JobPipeline: everything that keeps the runs of one process: in order, on the disk, in the database, and looked after."""

from pathlib import Path
from typing import Final

from opentelemetry.metrics import Meter
from sqlalchemy.engine import Engine

from telemetry.database import dedicated_engine
from telemetry.failsafe import failsafe
from telemetry.instruments import Instruments
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.recorder.self_metrics import RecorderMetrics
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.runs import JobRunRepository

SPOOL_DIRECTORY: Final = Path("spool", "job_runs")


class JobPipeline:
    """They have connections of their own: jobs that hold all others keep no record waiting, and no sign of life."""

    def __init__(self, engine: Engine, data_dir: Path, instruments: Instruments) -> None:
        directory = data_dir / SPOOL_DIRECTORY
        self._caller_engine = engine
        self._engine = dedicated_engine(engine)
        self._metrics = RecorderMetrics(instruments)
        self.recorder = Recorder(
            JobRunRepository(self._engine).write,
            spool=lambda: Spool(directory),
            on_dropped=self._metrics.count_dropped,
        )
        self.reaper = Reaper(self._engine, directory, self.recorder.open_runs, self._metrics)

    @failsafe
    def record(self, run: JobRun) -> None:
        """Also in a child after a fork, which has none of its parent's threads."""
        self.recorder.record(run)
        self.reaper.start()

    def observe(self, meter: Meter) -> None:
        self._metrics.observe(meter, self.recorder, self.reaper.recovery)

    def shutdown(self, timeout: float) -> bool:
        """Write what waits, within so many seconds; whether all of it was."""
        self.reaper.stop()
        written = self.recorder.shutdown(timeout)
        if self._engine is not self._caller_engine:
            self._engine.dispose()
        return written
