"""Scenes of the events that become alerts: the code that reports each runs. An event has no end."""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from starlette.requests import Request

from service.api import problems
from service.jobs.costs.budget import MonthCosts, log_over_budget
from service.jobs.schedule import JOBS
from service.jobs.suspension import log_switched_off
from service.names import OZON, WB
from service.reviews.rejections import log_rejections
from service.sandbox.supervisor import SandboxProcess
from service.scheduler.monitoring.evaluation import Ticks
from service.scheduler.monitoring.monitor import SchedulerAbsence
from service.scheduler.monitoring.notices import MissedNotice, report_clock_set
from service.scheduler.monitoring.pause_watch import log_paused
from service.scheduler.pauses import REMIND_INTERVAL, Pause
from telemetry.alerts.outbox import replacement
from telemetry.alerts.outbox.incidents import OVERFLOW
from telemetry.alerts.telegram_updates.update import Person
from telemetry.alerts.telegram_updates.update_handler import log_stranger
from telemetry.health.kill_report import log_killed
from telemetry.health.memory import OomKills
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.recorder.spool_state import SpoolState
from telemetry.jobs.store.running_runs import LostRun
from telemetry.logs import excepthook
from telemetry.metrics.multiprocess.restarts import MAX_KILLED, WorkerRestarts
from telemetry.processes.process_group import boot_id
from telemetry.processes.run_markers import RunMarker
from tools.reference.alert_stage import BEGAN, AlertStage, Scene

_JOB: Final = replace(next(job for job in JOBS if job.name == "backup_database"), catches_up=False)


def _downtime(_stage: AlertStage) -> None:
    MissedNotice(downtime=[(_JOB, Ticks(BEGAN, BEGAN, 1))], last_seen=[BEGAN]).alert(BEGAN + timedelta(minutes=30))


class _Absence(SchedulerAbsence):
    def _last_heartbeat(self) -> datetime:
        return BEGAN


def _absence(stage: AlertStage) -> None:
    absence = _Absence(None, stage.clock)  # type: ignore[arg-type]  # it reads no database
    stage.repeat(lambda: absence.check(datetime.fromtimestamp(stage.now, UTC)), 2, 120)


def _paused(_stage: AlertStage) -> None:
    log_paused(_JOB.name, Pause(BEGAN - REMIND_INTERVAL, "anna", "the bucket is moved"))


def _over_budget(_stage: AlertStage) -> None:
    dearest = "generate_advice 31.20 USD (1.56 a day, last month 0.90); idle 4.10 USD (0.21 a day, last month 0.20)"
    log_over_budget(MonthCosts(37.4, 56.1, 50.0), dearest)


def _lost_runs(_stage: AlertStage) -> None:
    reaper = SimpleNamespace(_component="scheduler", _counters=SimpleNamespace(count_lost=lambda _name, _number: None))
    Reaper._report_lost(reaper, [LostRun("1", "sync_wb_orders", "shop-1:4711")])  # type: ignore[arg-type]  # noqa: SLF001


def _crash(_stage: AlertStage) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/api/v1/reviews", "headers": [], "query_string": b""})
    asyncio.run(problems._crashed(request, ZeroDivisionError("division by zero")))  # noqa: SLF001


def _killed_workers(_stage: AlertStage) -> None:
    with tempfile.TemporaryDirectory() as home:
        WorkerRestarts(Path(home), lambda _reason: None).record({str(each): "killed" for each in range(MAX_KILLED)})


def _killed_service(_stage: AlertStage) -> None:
    marker = RunMarker(
        host="shop-1",
        boot=boot_id(),
        parent=7,
        started_at=(BEGAN - timedelta(hours=26)).timestamp(),
        seen_at=(BEGAN - timedelta(seconds=9)).timestamp(),
        memory_used=496 * 2**20,
        memory_total=512 * 2**20,
    )
    log_killed([replace(marker, pid=pid) for pid in (9, 10)], OomKills())


SHELVES: Final[Mapping[str, int]] = {}


def _unhandled(report: Callable[[BaseException], object]) -> Scene:
    def scene(_stage: AlertStage) -> None:
        try:
            _ = SHELVES["no such product"]
        except KeyError as error:
            report(error)

    return scene


def _in_thread(error: BaseException) -> None:
    args = (type(error), error, error.__traceback__, threading.Thread(name="warehouse"))
    excepthook._handle_thread(threading.ExceptHookArgs(args))  # noqa: SLF001


def _unraisable(error: BaseException) -> None:
    args = SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=None, err_msg="Exception ignored in", object=_JOB
    )
    excepthook._handle_unraisable(args)  # noqa: SLF001


def _damaged_outbox(_stage: AlertStage) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, "outbox.db")
        Path(f"{path}.new").touch()
        replacement._exchange(path)  # noqa: SLF001


def _export_failed(_stage: AlertStage) -> None:
    log = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    log.error("Failed to export %s batch code: %s, reason: %s", "span", 503, "Service Unavailable")


def _sandbox(_stage: AlertStage) -> None:
    supervisor = SandboxProcess("127.0.0.1", 8081, Path("journal"))
    supervisor._log_error_once("Port %d is not the sandbox's: set SANDBOX_PORT to one that is free.", 8081)  # noqa: SLF001


EVENTS: Final[Mapping[str, Scene]] = {
    "The scheduler was not running": _downtime,
    "No scheduler is running": _absence,
    "Runs were lost": _lost_runs,
    "The clock was set": lambda _stage: report_clock_set(timedelta(hours=1), BEGAN),
    "An answer was rejected": lambda _stage: log_rejections(WB, [(4711, "contact data")]),
    "A job is switched off": lambda _stage: log_switched_off(
        "sync_ozon_reviews", "The subscription of the seller lacks reviews.", {"component": OZON}
    ),
    "A request crashed": _crash,
    "Workers are killed": _killed_workers,
    "The service was killed": _killed_service,
    "The program ends": _unhandled(excepthook.report_uncaught),
    "A thread ended": _unhandled(_in_thread),
    "An exception was ignored": _unhandled(_unraisable),
    "Job runs cannot be kept on the disk": lambda _stage: SpoolState().log_change(
        OSError(28, "No space left on device")
    ),
    "The outbox was deleted": _damaged_outbox,
    "Too many alerts wait": lambda stage: stage.report(OVERFLOW),
    "Telemetry cannot be exported": _export_failed,
    "An error of a library": lambda _stage: logging.getLogger("asyncio").error("Task was destroyed but it is pending!"),
    "A job stays paused": _paused,
    "A stranger uses the bot": lambda _stage: log_stranger(Person(7000000099, "@stranger")),
    "The month passes its budget": _over_budget,
    "The sandbox does not start": _sandbox,
}
"""Each reports one event."""
