"""The commands of `python -m service`, each a function that returns its exit code."""

import argparse
import json
import signal
import sqlite3
import time
from collections.abc import Iterable
from datetime import datetime
from types import FrameType
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

import telemetry
from service.bootstrap import SandboxUnavailable, Service
from service.cli import alerts, database
from service.cli.doctor import FAIL, examine
from service.cli.output import complain, say
from service.database import migrations
from service.database.clock import utcnow
from service.jobs.schedule import JOBS
from service.scheduler.claims import new_owner
from service.scheduler.job import Job, Schedule, UnknownJob
from service.scheduler.lease_renewal import LeaseRenewer
from service.scheduler.monitoring.missed_runs import LAST_DAY, NO_MISSED_RUNS, MissedRuns, missed_runs
from service.scheduler.scheduler import execute_job
from service.settings import Settings
from service.shutdown import ShutdownRequested
from telemetry.error_text import safe_text
from telemetry.jobs import JobHandle, JobRunRow
from telemetry.logs import setup_logging

_WAIT_SECONDS: Final = 3600.0
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def scheduler(_options: argparse.Namespace) -> int:
    """Run the scheduled jobs, without the API, until the process is told to stop."""
    runtime = Service(Settings.read())
    runtime.start()

    def stopping(_signal: int, _frame: FrameType | None) -> None:
        runtime.stop_signal.set()

    for wanted in _STOP_SIGNALS:
        signal.signal(wanted, stopping)
    say(f"Scheduler: {', '.join(f'{job.name} {job.cadence}' for job in runtime.schedule.scheduled())}")
    while runtime.stop_signal.wait(_WAIT_SECONDS):
        pass
    runtime.stop()
    return 0


def jobs(_options: argparse.Namespace) -> int:
    """List the schedule with each job's last and next run."""
    runtime = Service(Settings.read())
    now = utcnow()
    try:
        migrations.at_head(runtime.engine)
        last, missed = runtime.telemetry.jobs.store.latest(), missed_runs(runtime.engine, now - LAST_DAY)
    except (SQLAlchemyError, migrations.MigrationsMissing) as error:
        return complain(f"The database cannot be read: {safe_text(error)}.")
    finally:
        telemetry.shutdown(1.0)
    rows = [("JOB", "CADENCE", "LAST RUN", "STATUS", "MISSED IN 24 H", "NEXT RUN")]
    for job in runtime.schedule.jobs:
        following = runtime.schedule.missing(job) or _moment(job.cadence.after(now))
        row = (job.name, str(job.cadence), *_last(last.get(job.name)), _missed(missed.get(job.name, NO_MISSED_RUNS)))
        rows.append((*row, following))
    say("\n".join(_columns(rows)))
    return 0


def _last(run: JobRunRow | None) -> tuple[str, str]:
    """When the last run began, and what became of it."""
    if run is None:
        return "never", "-"
    overdue = run.status == "running" and run.overdue_at is not None
    return _moment(run.started_at), "overdue" if overdue else run.status


def _missed(runs: MissedRuns) -> str:
    each = [f"{runs.missed}"] if runs.missed else []
    return " + ".join([*each, f"{runs.downtime} while nobody ran"] if runs.downtime else each) or "-"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run_job(options: argparse.Namespace) -> int:
    """Run one job now, recorded like any other."""
    settings = Settings.read()
    try:
        job = Schedule(settings, JOBS).get(options.name)
    except UnknownJob as error:
        return complain(str(error))
    runtime = Service(settings)
    told = _stopped_by_signals()
    try:
        said = _run_and_describe(job, runtime)
    except ShutdownRequested:
        complain(f"{job.name} was stopped.")
        return 128 + next(iter(told), signal.SIGTERM)
    except Exception as error:  # noqa: BLE001  # the edge: whatever a job raises is told to whoever ran it
        return complain(f"{job.name} failed: {type(error).__name__}: {error}")
    finally:
        telemetry.shutdown()
    say(said)
    return 0


def _run_and_describe(job: Job, runtime: Service) -> str:
    migrations.migrate(runtime.engine)
    with runtime.running_sandbox():
        started = time.perf_counter()
        run = _run_alone(job, runtime)
    took = time.perf_counter() - started
    return f"{job.name}: success in {took:.3f} s {json.dumps(run.metadata, default=str, ensure_ascii=False)}"


def _stopped_by_signals() -> list[int]:
    """From now on a signal to end cancels what goes on; another one ends the process. Returns where the signal will be."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        for each in _STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise ShutdownRequested("the command was told to stop")

    for each in _STOP_SIGNALS:
        signal.signal(each, stop)
    return told


def _run_alone(job: Job, runtime: Service) -> JobHandle:
    """Raises:
    JobAlreadyRunning: a run of the job goes on somewhere, and two may not overlap.
    """
    holder = new_owner()
    if not job.overlaps and not runtime.claims.hold(job.name, holder):
        raise JobAlreadyRunning("a run of it goes on already; GET /jobs/status says since when")
    leases = LeaseRenewer(runtime.claims)
    with leases.held(job.name, holder):
        run = execute_job(job, runtime.context)
    leases.stop()
    return run


class JobAlreadyRunning(Exception):  # it says what is the case
    pass


def test_alert(options: argparse.Namespace) -> int:
    """Send one alert through the whole pipeline and wait until it is delivered; 1 if it is not."""
    runtime = Service(Settings.read())
    try:
        with runtime.running_sandbox():
            return 0 if alerts.test_alert(runtime.telemetry.alerts, say, options.within) else 1
    except SandboxUnavailable as error:
        return complain(str(error))
    finally:
        telemetry.shutdown(1.0)


def silence(options: argparse.Namespace) -> int:
    """Begin, end or list silences."""
    if complaint := alerts.silence_usage_error(options):
        return complain(complaint)
    runtime = Service(Settings.read())
    try:
        say(alerts.silence(runtime.telemetry.alerts.silences, options))
    except (sqlite3.Error, OSError) as error:
        return complain(f"The outbox of alerts cannot be written: {safe_text(error)}.")
    finally:
        telemetry.shutdown(1.0)
    return 0


def restore(options: argparse.Namespace) -> int:
    """Put a backup in the place of the database; without one, list those that there are."""
    settings = Settings.read()
    setup_logging(settings)
    if options.file is None:
        return database.list_backups(settings.data_dir, say, complain)
    return database.restore(settings, options.file, say, complain)


def copy(options: argparse.Namespace) -> int:
    """Copy every row of the database into another, such as from SQLite to PostgreSQL."""
    settings = Settings.read()
    setup_logging(settings)
    return database.copy(settings, options.target, say, complain)


def doctor(_options: argparse.Namespace) -> int:
    """Check everything, a line each; 1 if anything is wrong."""
    runtime = Service(Settings.read())
    well = True
    try:
        with runtime.running_sandbox():
            for finding in examine(runtime):
                well = well and finding.mark != FAIL
                say(str(finding))
    except SandboxUnavailable as error:
        return complain(str(error))
    finally:
        telemetry.shutdown(1.0)
    return 0 if well else 1
