"""One soak: starts the service and what watches it, makes the faults, waits until all is well again, and judges."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from service.database import migrations
from telemetry.alerts.outbox.incidents import INHIBITION_DELAY
from tests.soak import verdict
from tests.soak.faults import Faults, small_disk
from tests.soak.figures import Table
from tests.soak.plan import plan
from tests.soak.program import SoakedService
from tests.soak.verdict import RunsKept, Watched
from tests.soak.watchers import Client, Prober, Scraper, Stalls, UsageWatch
from tests.support.killable_postgres import KillablePostgres, killable_postgres
from tests.support.processes import Programs, eventually
from tests.support.sandboxed_service import SandboxedService
from tests.support.set_clock import MachineClock
from tests.support.worker_consistency import workers

HEALTHY_WITHIN: Final = 30.0
SETTLED_WITHIN: Final = 75.0  # a lost run is one after 50 s
TOLD_WITHIN: Final = HEALTHY_WITHIN + INHIBITION_DELAY
"""The alert of a run that was found lost in the last moment waits for the database that may have caused it."""
CLIENTS: Final = 4
_log = logging.getLogger(__name__)


def soak(minutes: float, home: Path) -> Table:
    """Run for so many minutes, and then until all is well again. `home` is an empty directory."""
    with ExitStack() as stack:
        postgres = stack.enter_context(killable_postgres())
        migrate(postgres)
        disk = home / "disk"
        is_small = stack.enter_context(small_disk(disk))
        programs = Programs(home)
        stack.callback(programs.kill)
        clock = MachineClock(programs)
        running = SoakedService.start(programs, disk, postgres.url.render_as_string(hide_password=False))
        faults = Faults(running.service, postgres, clock, disk if is_small else None)
        table = Table()
        table.say("the disk is small, so that it could be filled", is_small)
        watched = watch(running, faults, disk, minutes)
        watched.usage.save(home / "usage.tsv")
        judge(table, watched)
        return table


def migrate(postgres: KillablePostgres) -> None:
    engine = create_engine(postgres.url, poolclass=NullPool)
    migrations.migrate(engine)


def watch(running: SoakedService, faults: Faults, disk: Path, minutes: float) -> Watched:
    """Load, probes and faults for so many minutes."""
    stop = threading.Event()
    eventually(lambda: is_healthy(SandboxedService.at(running.service, 0)), within=90)
    prober = Prober(running.service, stop, Stalls(stop))
    clients = [Client(running.service, stop, seed) for seed in range(CLIENTS)]
    scraper, usage = Scraper(running.service, stop), UsageWatch(running, disk, stop)
    watched = Watched(running, faults, prober, clients, scraper, usage, time.monotonic())
    threads = [threading.Thread(target=each.run) for each in (prober, prober.stalls, scraper, usage, *clients)]
    for thread in threads:
        thread.start()
    try:
        make_faults(watched, minutes)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    return watched


def make_faults(watched: Watched, minutes: float) -> None:
    for event in plan(minutes):
        time.sleep(max(0.0, watched.began + event.at - time.monotonic()))
        _log.info("%4.0f s: %s %s", time.monotonic() - watched.began, event.what, event.value or "")
        watched.faults.make(event)
    time.sleep(max(0.0, watched.began + minutes * 60 - time.monotonic()))


def judge(table: Table, watched: Watched) -> None:
    """Faults are over from here on."""
    service = SandboxedService.at(watched.running.service, 0)
    recovery(table, "healthy again, in s", HEALTHY_WITHIN, lambda: is_healthy(service))
    recovery(table, "all runs settled, in s", SETTLED_WITHIN, lambda: RunsKept.read(watched).is_settled)
    recovery(table, "all alerts told or over, in s", TOLD_WITHIN, lambda: has_no_pending_alerts(service))
    watched.scraper.scrape()
    alerts = all_alerts(service)
    verdict.judge_probes(table, watched)
    verdict.judge_counters(table, watched)
    verdict.judge_schedule(table, watched)
    verdict.judge_usage(table, watched)
    stop_service(table, watched)
    runs = RunsKept.read(watched)
    runs.judge(table)
    verdict.judge_errors(table, watched, runs, alerts)


def recovery(table: Table, name: str, within: float, is_well: Callable[[], bool]) -> None:
    """What was wrong until then is said with it."""
    began, wrong = time.monotonic(), ["nothing"]

    def look() -> bool:
        try:
            is_whole = is_well()
        except (AssertionError, httpx.HTTPError) as error:
            is_whole, wrong[:] = False, [str(error)[:1000]]
        return is_whole

    with suppress(AssertionError):
        eventually(look, within * 2)
    table.at_most(name, time.monotonic() - began, within, wrong)


def is_healthy(service: SandboxedService) -> bool:
    """Both workers say so: each probe is asked several times, by new connections."""
    for path in ("/livez", "/readyz", "/healthz") * 4:
        answer = service.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    jobs = service.get("/jobs").json()["jobs"]
    wrong = [
        f"{job['job_name']}: {job['state']} {job['reason']}" for job in jobs if job["state"] in {"overdue", "blocked"}
    ]
    assert not wrong, wrong
    health = service.get("/healthz").json()
    assert health["status"] == "healthy", health
    return len(workers(service.service)) == 2


def has_no_pending_alerts(service: SandboxedService) -> bool:
    overview = service.get("/alerts?limit=500").json()
    pending = [alert for alert in overview["alerts"] if alert["state"] == "pending"]
    assert not overview["pending"], (pending, overview["channels"])
    return True


def all_alerts(service: SandboxedService) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while page := service.get(f"/alerts?limit=500{before}").json()["alerts"]:
        found += page
        before = f"&before={page[-1]['id']}"
    return found


def stop_service(table: Table, watched: Watched) -> None:
    service = watched.running.service
    left = workers(service)
    told = service.tell(signal.SIGTERM)
    code = service.exit_code(60)
    table.say("stopped by SIGTERM after, in s", time.monotonic() - told)
    table.at_most("exit code", abs(code), 0, [service.said()[-2000:]])
    table.at_most("processes left", sum(1 for process in left if process.is_running()), 0)
