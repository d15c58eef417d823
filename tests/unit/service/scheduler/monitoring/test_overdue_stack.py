"""The alert about an overdue run names the line that it hangs at: taken by its process, reported by any."""

import asyncio
import inspect
import json
import logging
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from service.scheduler.monitoring.overdue import STACK_GRACE, mark_overdue
from telemetry import semconv
from telemetry.instruments import Instruments
from telemetry.jobs.liveness.heartbeat import HEARTBEAT_INTERVAL
from telemetry.jobs.pipeline import JobPipeline
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.processes.registry import ProcessRegistry
from tests.support.job_runs import ended, run_id, started

SOON = 40.0
LIMIT = timedelta(seconds=0.3)
LONG_QUERY = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1e12) SELECT count(*) FROM n",
}


class Process:
    """A process that runs jobs and writes their runs into a database. Its jobs hang until its end."""

    def __init__(self, engine, data_dir):
        self.engine, self.registry = engine, ProcessRegistry(data_dir)
        engine.connect().close()  # on a busy machine, a first connection takes longer than the limit
        meter = MeterProvider([], shutdown_on_exit=False).get_meter("tests")
        self.pipeline = JobPipeline(engine, self.registry, Instruments.create(meter))
        self.threads, self.releases = [], []

    def run(self, number, job):
        self.threads.append(
            threading.Thread(target=self._run, args=(number, job), name=f"job-{job.__name__}", daemon=True)
        )
        self.threads[-1].start()

    def _run(self, number, job):
        now = datetime.now(UTC)
        begun = started(number, job_name=job.__name__, started_at=now, heartbeat_at=now, deadline_at=now + LIMIT)
        self.pipeline.record(begun)
        job(self)
        now = datetime.now(UTC)
        over = ended(number, job_name=job.__name__, started_at=begun.started_at, finished_at=now, heartbeat_at=now)
        self.pipeline.record(replace(over, deadline_at=begun.deadline_at, overdue_at=begun.deadline_at))

    def end_jobs(self):
        while self.releases:
            self.releases.pop()()
        for thread in self.threads:
            thread.join(SOON)

    def end(self):
        self.end_jobs()
        self.pipeline.shutdown(SOON)
        self.registry.release()


def receives(process):
    here, there = socket.socketpair()
    process.releases.append(lambda: there.send(b"x"))
    with here, there:
        here.recv(1)  # hangs


def waits_for_lock(process):
    lock = threading.Lock()
    lock.acquire()
    process.releases.append(lock.release)
    with lock:  # hangs
        pass


def queries(process):
    with process.engine.connect() as connection:
        raw = connection.connection.driver_connection
        process.releases.append(raw.cancel if hasattr(raw, "cancel") else raw.interrupt)
        try:
            connection.exec_driver_sql(LONG_QUERY[process.engine.dialect.name])  # hangs
        except Exception:  # the end of the test cancels it
            connection.invalidate()


async def awaits_event(process):
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    process.releases.append(lambda: loop.call_soon_threadsafe(event.set))
    await event.wait()  # hangs


def awaits(process):
    asyncio.run(awaits_event(process))


HANGING = {receives: receives, waits_for_lock: waits_for_lock, queries: queries, awaits: awaits_event}


def place_of(function):
    lines, first = inspect.getsourcelines(function)
    [line] = [first + number for number, text in enumerate(lines) if "# hangs" in text]
    return f"scheduler/monitoring/test_overdue_stack.py:{line} in {function.__name__}"


@pytest.fixture
def with_many_heartbeats(monkeypatch):
    """As a process has one after the other, only sooner."""
    for name in ("REAP_INTERVAL", "HEARTBEAT_INTERVAL"):
        monkeypatch.setattr(f"telemetry.jobs.liveness.reaper.{name}", 0.1)


@pytest.fixture
def process(engine, tmp_path):
    process = Process(engine, tmp_path)
    yield process
    process.end()


def alerts_of(caplog):
    return {
        vars(record)[semconv.ALERT_CONDITION].removeprefix("overdue:"): record
        for record in caplog.records
        if semconv.ALERT_CONDITION in vars(record)
    }


@pytest.mark.timeout(150)
def test_the_alert_names_the_line_at_which_the_run_hangs(with_many_heartbeats, process, caplog):
    caplog.set_level(logging.INFO)
    for number, job in enumerate(HANGING, 1):
        process.run(number, job)

    deadline = time.monotonic() + SOON
    while len(found := alerts_of(caplog)) < len(HANGING) and time.monotonic() < deadline:
        mark_overdue(process.engine, datetime.now(UTC), lambda _name: None, {})
        time.sleep(0.1)

    facts = {name: json.loads(vars(record)[semconv.ALERT_FACTS]) for name, record in found.items()}
    hung = {name: each["Hangs at"] for name, each in facts.items()}
    assert hung == {job.__name__: place_of(hangs) for job, hangs in HANGING.items()}
    assert list(facts["awaits"]) == ["Hangs at", "Called from", "Before that from"]
    assert facts["awaits"]["Called from"].endswith(" in awaits")
    assert facts["receives"]["Called from"].endswith(" in Process._run")


@pytest.mark.timeout(150)
def test_the_row_has_the_stack_while_the_run_goes_on_and_after_its_end(with_many_heartbeats, process):
    process.run(1, receives)
    store = JobRunRepository(process.engine)

    deadline = time.monotonic() + SOON
    while (row := store.page()[0] if store.page() else None) is None or row.overdue_stack is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert row.status == "running"
    process.end_jobs()
    assert process.pipeline.recorder.flush(SOON)

    [after] = store.page()
    assert after.status == "success"
    assert after.overdue_stack == row.overdue_stack
    assert place_of(receives) in after.overdue_stack
    assert "Thread job-receives:" in after.overdue_stack


@pytest.mark.long_on_postgresql
def test_a_run_that_ends_before_a_heartbeat_has_its_stack_from_its_end(process):
    process.run(1, receives)
    time.sleep(LIMIT.total_seconds() + 1)
    process.end_jobs()
    assert process.pipeline.recorder.flush(SOON)

    [row] = JobRunRepository(process.engine).page()

    assert place_of(receives) in row.overdue_stack


def test_a_run_in_time_has_no_stack(process):
    process.run(1, lambda_that_ends)
    process.end_jobs()
    assert process.pipeline.recorder.flush(SOON)

    [row] = JobRunRepository(process.engine).page()

    assert row.overdue_stack is None


def lambda_that_ends(_process):
    """A job that ends at once."""


@pytest.mark.parametrize(
    ("heartbeat", "stack", "is_marked"),
    [
        (STACK_GRACE / 2, None, False),
        (STACK_GRACE / 2, "In the application's own code, innermost first:\n  a.py:1 in f\n\nThread x:", True),
        (timedelta(seconds=HEARTBEAT_INTERVAL), None, True),
        (timedelta(seconds=-1), "Thread x:", False),
    ],
)
def test_an_overdue_run_is_reported_with_its_stack_or_when_none_is_to_come(engine, caplog, heartbeat, stack, is_marked):
    now = datetime.now(UTC)
    late = now - timedelta(minutes=1)
    run = started(1, started_at=late - LIMIT, deadline_at=late, heartbeat_at=late + heartbeat, overdue_stack=stack)
    JobRunRepository(engine).replay([run])
    marked = []

    mark_overdue(engine, now, marked.append, {})

    assert marked == (["sync"] if is_marked else [])
    facts = [json.loads(vars(record).get(semconv.ALERT_FACTS, "{}")) for record in alerts_of(caplog).values()]
    assert facts == ([{"Hangs at": "a.py:1 in f"} if stack else {}] if is_marked else [])


@pytest.mark.long_on_postgresql
def test_two_runs_of_a_process_have_stacks_of_their_own(process):
    process.run(1, receives)
    process.run(2, waits_for_lock)
    time.sleep(LIMIT.total_seconds() + 1)
    process.end_jobs()
    assert process.pipeline.recorder.flush(SOON)

    rows = {row.run_id: row.overdue_stack for row in JobRunRepository(process.engine).page()}

    assert place_of(receives) in rows[run_id(1)]
    assert place_of(waits_for_lock) in rows[run_id(2)]
