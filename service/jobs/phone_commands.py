"""The commands about jobs that operators send to the Telegram bot, and the lease by which one machine of several reads them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.errors import Problem
from service.jobs.job_commands import JobCommands
from service.jobs.relayed_presses import DatabasePressRelay
from service.jobs.suspension import suspensions
from service.scheduler.claims import Claims, new_owner
from service.scheduler.job import Job, Schedule
from service.scheduler.manual_runs import REQUESTED_BY
from service.scheduler.pauses import paused_jobs
from telemetry.alerts import OperatorBot, PhoneCommand, PollingLease
from telemetry.durations import format_length
from telemetry.error_text import safe_text
from telemetry.jobs import JobRunRepository, JobRunRow

_LEASE: Final = "telegram updates"
"""A row beside those of the jobs, none of which has a space in its name."""
_SHOWN_RUNS: Final = 5
_MAX_ERROR: Final = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PhoneJobs:
    """`now` is the time by the database's clock, as far as it is known."""

    schedule: Schedule
    engine: Engine
    job_commands: JobCommands
    now: Callable[[], datetime]

    @property
    def runs(self) -> JobRunRepository:
        return JobRunRepository(self.engine)

    def commands(self) -> list[PhoneCommand]:
        return [
            PhoneCommand("jobs", "each job with its last run", self._or_problem(self._jobs)),
            PhoneCommand("job", "the last runs of a job", self._or_problem(self._job), "NAME"),
            PhoneCommand("run", "run a job now", self._or_problem(self._run), "NAME", changes=True),
        ]

    def _or_problem(self, run: Callable[[str, str], str]) -> Callable[[str, str], str]:
        """The command, with a sentence for what a person can be expected to ask for in vain."""

        def answered(argument: str, by: str) -> str:
            try:
                return run(argument, by)
            except Problem as problem:
                return str(problem)
            except SQLAlchemyError as error:
                return f"The database cannot be used now: {safe_text(error)}."

        return answered

    def _jobs(self, _argument: str, _by: str) -> str:
        latest = self.runs.latest()
        off = {**suspensions(self.engine), **paused_jobs(self.engine)}
        return "\n".join(self._line(job, latest.get(job.name), off.get(job.name)) for job in self.schedule.jobs)

    def _line(self, job: Job, run: JobRunRow | None, off: object | None) -> str:
        reason = self.schedule.missing(job) or (str(off) if off is not None else "")
        last = "no run yet" if run is None else self._run_line(run)
        return f"{_mark(run)} {job.name}: {last}{f' ({reason})' if reason else ''}"

    def _job(self, name: str, _by: str) -> str:
        job = self.schedule.get(name)
        runs = self.runs.page(job_name=name, limit=_SHOWN_RUNS)
        lines = [f"{_mark(run)} {self._run_line(run)}{_cause(run)}" for run in runs]
        return "\n".join([f"{name}: {job.cadence}", *(lines or ["No run yet."])])

    def _run(self, name: str, by: str) -> str:
        run = self.job_commands.run_now(name, by)
        return f"{name} was started by {run.metadata[REQUESTED_BY]}. Its result: /job {name}"

    def _run_line(self, run: JobRunRow) -> str:
        ago = format_length((self.now() - run.started_at).total_seconds())
        took = "" if run.duration_seconds is None else f", took {run.duration_seconds:.1f} s"
        return f"{run.outcome or run.status}, {ago} ago{took}"


def _mark(run: JobRunRow | None) -> str:
    return {None: "•", "success": "✅", "running": "▶️"}.get(None if run is None else run.status, "❌")


def _cause(run: JobRunRow) -> str:
    """Why it failed, and who asked for it."""
    error = f"\n   {run.error_message[:_MAX_ERROR]}" if run.error_message else ""
    by = run.details.get(REQUESTED_BY)
    return f"{f', by {by}' if by else ''}{error}"


def add_to(bot: OperatorBot | None, jobs: PhoneJobs, claims: Claims) -> None:
    """Add the commands to the bot, if there is one. SQLite is of one machine, which has a lease of its own."""
    if bot is not None:
        bot.add(jobs.commands())
        if jobs.engine.dialect.name == "postgresql":
            bot.share(polling_lease(claims), DatabasePressRelay(jobs.engine, jobs.now))


def polling_lease(claims: Claims) -> PollingLease:
    """The lease of the process, of all machines of the database, that reads what operators send.

    A database that is down keeps no operator from being answered: then Telegram itself lets one machine read.
    """
    owner = new_owner()

    def acquire() -> bool:
        try:
            return claims.renew(_LEASE, owner) or claims.claim_manual_run(_LEASE, owner)
        except SQLAlchemyError as error:
            _log.debug("The lease for the Telegram bot could not be acquired: %s", safe_text(error))
            return True

    return PollingLease(acquire, lambda: claims.release(_LEASE, owner))
