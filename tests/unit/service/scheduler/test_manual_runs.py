"""Manual runs: who asked is recorded, runs do not overlap, and a stop ends them like scheduled ones."""

import os
import socket
import threading
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from service.scheduler.cadence import Every
from service.scheduler.claims import Claims
from service.scheduler.job import Job, Schedule
from service.scheduler.manual_runs import JobAlreadyRunning, ManualRuns, RunNotStarted
from service.scheduler.run_threads import MAX_THREADS_PER_JOB
from service.scheduler.scheduler import Scheduler
from service.settings import Settings
from telemetry.jobs import JobRunRepository, monitor
from telemetry.jobs.monitor import JobMonitoring
from tests.support.job_spans import processor_into

MINUTE = timedelta(minutes=1)
AGAIN = "Try again when it has ended; if its process was killed, in 30 s."


class Context:
    def for_run(self, progress):
        return progress


class Waiting:
    """A job's body that waits until it may end."""

    def __init__(self):
        self.may_end = threading.Event()

    def __call__(self, _progress):
        while not self.may_end.wait(0.01):
            pass
        return {"rows": 3}


@pytest.fixture
def store(sqlite_engine):
    return JobRunRepository(sqlite_engine)


@pytest.fixture(autouse=True)
def _recorded(store):
    tracers = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    tracers.add_span_processor(processor_into(lambda run: store.write([run])))
    monitor.activate(JobMonitoring(tracers.get_tracer("tests")))
    yield
    monitor.deactivate()


@pytest.fixture
def runs_of(sqlite_engine, store):
    """Makes the manual runs of a process whose scheduler does not run."""
    made = []

    def make():
        claims = Claims(sqlite_engine)
        made.append(Scheduler(Schedule(Settings(), ()), Context(), claims))
        return ManualRuns(Context(), claims, made[-1], store)

    yield make
    for scheduler in made:
        assert scheduler.stop(10) == []


def recorded(store, job="sync"):
    [row] = store.page(job_name=job)
    return row


def until_ended(runs):
    for thread, _ in runs.scheduler.threads.alive():
        thread.join(30)


def test_a_run_is_known_when_it_has_begun_and_recorded_with_who_asked(runs_of, store):
    runs, work = runs_of(), Waiting()

    run = runs.start(Job("sync", Every(MINUTE), work), "Anna")
    assert (recorded(store).run_id, recorded(store).status) == (run.run_id, "running")
    work.may_end.set()
    until_ended(runs)

    assert (recorded(store).status, recorded(store).scheduled_for) == ("success", None)
    assert recorded(store).details == {"requested_by": "Anna", "rows": 3}


def test_a_second_run_is_refused_in_each_process_with_since_when_and_by_whom(runs_of, store):
    runs, work = runs_of(), Waiting()
    job = Job("sync", Every(MINUTE), work)
    runs.start(job, "Anna")
    began = f"{recorded(store).started_at:%Y-%m-%d %H:%M:%S} UTC"
    who = f"in process {os.getpid()} on {socket.gethostname()}, since {began}, started by Anna"

    for process in (runs, runs_of()):
        with pytest.raises(JobAlreadyRunning) as refused:
            process.start(job, "Boris")
        assert str(refused.value) == f"sync is running already, {who}. {AGAIN}"
    work.may_end.set()
    until_ended(runs)

    runs.start(job, "Boris")  # the lease is released
    until_ended(runs)
    assert [row.details["requested_by"] for row in store.page(job_name="sync")] == ["Boris", "Anna"]


def test_a_run_of_the_schedule_is_named_as_such_and_one_that_is_not_recorded_yet_has_just_begun(runs_of, store):
    runs, job = runs_of(), Job("sync", Every(MINUTE), lambda _progress: {})
    runs.claims.claim_tick("sync", runs.scheduler._now(), "the schedule's")
    with pytest.raises(JobAlreadyRunning) as refused:
        runs.start(job, "Boris")
    assert str(refused.value) == f"sync is running already, since a moment ago. {AGAIN}"

    with (
        monitor.monitor_job("sync", scheduled_for=runs.scheduler._now()),
        pytest.raises(JobAlreadyRunning, match="started by the schedule"),
    ):
        runs.start(job, "Boris")


def test_a_failure_is_recorded_and_not_raised(runs_of, store, caplog):
    def fails(_progress):
        raise ValueError("no such shop")

    runs = runs_of()
    runs.start(Job("sync", Every(MINUTE), fails), "Anna")
    until_ended(runs)

    assert (recorded(store).status, recorded(store).error_message) == ("failed", "no such shop")
    assert "Job sync failed" in caplog.messages


def test_a_stop_cancels_a_run_that_goes_on_and_starts_no_other(runs_of, store):
    runs = runs_of()
    job = Job("sync", Every(MINUTE), Waiting())
    runs.start(job, "Anna")

    assert runs.scheduler.stop(0) == []
    assert recorded(store).outcome == "cancelled"
    with pytest.raises(RunNotStarted, match="the service is stopping"):
        runs.start(job, "Boris")
    assert runs.claims.claim_manual_run("sync", "another process's")  # no lease is left


def test_runs_that_may_overlap_are_bounded(runs_of):
    runs, work = runs_of(), Waiting()
    job = Job("sync", Every(MINUTE), work, overlaps=True)

    for _ in range(MAX_THREADS_PER_JOB):
        runs.start(job, "Anna")
    with pytest.raises(RunNotStarted, match="too many of its runs go on"):
        runs.start(job, "Anna")
    work.may_end.set()


def test_a_run_in_the_foreground_raises_what_the_job_raises_and_releases_its_lease(runs_of, store):
    def fails(_progress):
        raise ValueError("no such shop")

    runs = runs_of()
    with pytest.raises(ValueError, match="no such shop"):
        runs.execute(Job("sync", Every(MINUTE), fails), "the command run-job")

    assert recorded(store).details == {"requested_by": "the command run-job"}
    assert runs.claims.claim_manual_run("sync", "another")
