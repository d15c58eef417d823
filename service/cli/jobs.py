"""The commands `jobs` and `run-job`: list the schedule, run one job."""

import argparse
import json
import signal
import sys
import time
from types import FrameType

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from service.bootstrap import Service
from service.cli.exit_codes import BUSY, SUCCESS, USAGE
from service.cli.output import aligned, complain, say
from service.cli.profiling import profiled_run
from service.cli.run_progress import RunProgress, Terminal
from service.cli.scheduler import STOP_SIGNALS
from service.database import migrations
from service.jobs.schedule import JOBS
from service.jobs.suspension import suspensions
from service.scheduler.job import Job, Schedule, UnknownJob
from service.scheduler.manual_runs import REQUESTED_BY, JobAlreadyRunning
from service.scheduler.monitoring.missed_runs import LAST_DAY, NO_MISSED_RUNS, MissedRuns, missed_runs
from service.scheduler.monitoring.notices import format_utc
from service.scheduler.pauses import paused_jobs
from service.settings import Settings
from service.shutdown import ShutdownRequested
from telemetry.error_text import safe_text
from telemetry.jobs import JobRunRow
from telemetry.profiling import OutputRefused, OwnProfileRefused, PySpyMissing


def jobs(_options: argparse.Namespace) -> int:
    """List the schedule with each job's last and next run."""
    runtime = Service(Settings.read())
    now = runtime.clock.now()
    try:
        migrations.at_head(runtime.engine)
        last, missed = runtime.telemetry.jobs.store.latest(), missed_runs(runtime.engine, now - LAST_DAY)
        off = {**suspensions(runtime.engine), **paused_jobs(runtime.engine)}
    except (SQLAlchemyError, migrations.MigrationsMissing) as error:
        return complain(f"The database cannot be read: {safe_text(error)}.")
    finally:
        runtime.close(1.0)
    rows: list[tuple[str, ...]] = [("JOB", "SCHEDULE", "LAST RUN", "STATUS", "MISSED IN 24 H", "NEXT RUN")]
    for job in runtime.schedule.jobs:
        following = runtime.schedule.missing(job) or off.get(job.name) or format_utc(job.cadence.after(now))
        missed_cell = _missed_cell(missed.get(job.name, NO_MISSED_RUNS))
        rows.append((job.name, str(job.cadence), *_last_run_cells(last.get(job.name)), missed_cell, str(following)))
    say("\n".join(aligned(rows)))
    return 0


def _last_run_cells(run: JobRunRow | None) -> tuple[str, str]:
    """When the last run started, and its status."""
    if run is None:
        return "never", "-"
    overdue = run.status == "running" and run.overdue_at is not None
    return format_utc(run.started_at), "overdue" if overdue else run.status


def _missed_cell(runs: MissedRuns) -> str:
    parts = [f"{runs.missed}"] if runs.missed else []
    return " + ".join([*parts, f"{runs.downtime} in downtime"] if runs.downtime else parts) or "-"


def run_job(options: argparse.Namespace) -> int:
    """Run one job now, recorded like a scheduled run."""
    settings = Settings.read()
    try:
        job = Schedule(settings, JOBS).get(options.name)
    except UnknownJob as error:
        return complain(str(error), USAGE)
    progress = RunProgress(job.name)
    runtime = Service(settings, progress.on_wait)
    terminal = None if options.quiet else Terminal.of(sys.stderr)
    try:
        with profiled_run(options.profile, job.name):
            return _run_shown(job, runtime, progress, terminal)
    except (OutputRefused, OwnProfileRefused, PySpyMissing) as error:
        return complain(f"{str(error).removesuffix('.')}. The job was not run.", USAGE)
    finally:
        runtime.close()


def _run_shown(job: Job, runtime: Service, progress: RunProgress, terminal: Terminal | None) -> int:
    """Run the job, and print its result. Returns the exit code."""
    received = _cancel_on_signals()
    try:
        with progress.shown(terminal):
            summary = _run_and_describe(job, runtime, progress)
    except JobAlreadyRunning as error:
        return complain(str(error), BUSY)
    except ShutdownRequested:
        complain(f"{job.name} was stopped.")
        return 128 + next(iter(received), signal.SIGTERM)
    except OperationalError as error:
        return complain(f"{job.name} failed: the database cannot be used: {safe_text(error)}.")
    except Exception as error:  # noqa: BLE001  # the edge: whatever a job raises is printed
        runtime.telemetry.report_job_failures()
        return complain(f"{job.name} failed: {_described(error)}")
    say(summary)
    return SUCCESS


def _described(error: Exception) -> str:
    """Of a group, all that failed, such as the sources of a sync."""
    failed = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    return "; ".join(f"{type(each).__name__}: {each}" for each in failed)


def _run_and_describe(job: Job, runtime: Service, progress: RunProgress) -> str:
    migrations.migrate(runtime.engine)
    runtime.telemetry.recent.activate()  # the console shows the run
    with runtime.costs.written(), runtime.running_sandbox():
        started = time.perf_counter()
        run = runtime.job_commands.runs.execute(job, "the command run-job", progress.observe)
    took = time.perf_counter() - started
    facts = {name: value for name, value in run.metadata.items() if name != REQUESTED_BY}
    outcome = "skipped" if run.skipped else "success"
    return f"{job.name}: {outcome} in {took:.3f} s {json.dumps(facts, default=str, ensure_ascii=False)}"


def _cancel_on_signals() -> list[int]:
    """Let the first stop signal cancel the run, and the next one end the process.

    Returns:
        A list that will contain the number of the first signal.
    """
    received: list[int] = []

    def cancel(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise ShutdownRequested("the command received a stop signal")

    for each in STOP_SIGNALS:
        signal.signal(each, cancel)
    return received
