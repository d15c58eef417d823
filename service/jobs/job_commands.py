"""What a person may do with a job: run it now, pause it, resume it. The API and the console use the same code."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from sqlalchemy.engine import Engine

from service.errors import Problem
from service.scheduler.job import Job, Schedule
from service.scheduler.manual_runs import ManualRuns
from service.scheduler.pauses import MAX_NAME_LENGTH, MAX_REASON_LENGTH, Pause, one_line, pause_job, resume_job
from telemetry.jobs import JobHandle

_log = logging.getLogger(__name__)


class ReasonMissing(Problem):
    """422: a job is paused for a reason, which others read."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class JobNotScheduled(Problem):
    """409: the job cannot run with the settings of the service."""

    status = HTTPStatus.CONFLICT


@dataclass(frozen=True, slots=True)
class JobCommands:
    """`by` says who asks: it is recorded with the run or the pause. `now` is the time by the database's clock.

    Each method raises `UnknownJob` for a name that is not in the schedule, and SQLAlchemyError without a database.
    """

    schedule: Schedule
    engine: Engine
    now: Callable[[], datetime]
    runs: ManualRuns

    def run_now(self, job_name: str, by: str) -> JobHandle:
        """Run a job in this process, also if it is paused. Returns when the run has begun.

        Raises:
            JobNotScheduled: the job's settings are missing.
            JobAlreadyRunning: a run of the job is active, in whatever process.
            RunNotStarted: this process is stopping or hangs.
        """
        job, who = self._runnable(job_name), one_line(by, MAX_NAME_LENGTH)
        run = self.runs.start(job, who)
        _log.info("Job %s was started by %s.", job.name, who)
        return run

    def pause(self, job_name: str, by: str, reason: str) -> Pause:
        """Start no more ticks of the job until it is resumed. An active run goes on.

        Raises:
            ReasonMissing: the reason is empty.
        """
        job = self.schedule.get(job_name)
        if not one_line(reason, MAX_REASON_LENGTH):
            raise ReasonMissing("A pause needs a reason, such as: the warehouse is moved.")
        pause = pause_job(self.engine, job.name, Pause(self.now(), by, reason))
        _log.info("Job %s was paused by %s: %s", job.name, pause.by, pause.reason)
        return pause

    def resume(self, job_name: str, by: str) -> bool:
        """Start the ticks of the job again, from the next one on. Returns whether it was paused."""
        job = self.schedule.get(job_name)
        was_paused = resume_job(self.engine, job.name, self.now())
        if was_paused:
            _log.info("Job %s was resumed by %s.", job.name, one_line(by, MAX_NAME_LENGTH))
        return was_paused

    def _runnable(self, job_name: str) -> Job:
        job = self.schedule.get(job_name)
        if (reason := self.schedule.missing(job)) is not None:
            raise JobNotScheduled(f"{job_name} cannot run: {reason}")
        return job
