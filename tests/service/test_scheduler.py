import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from service.schedule import Every, Job, Schedule
from service.scheduler import LONGEST_SLEEP, Scheduler, run_job
from service.settings import Settings
from telemetry.health.report import CheckFailed
from telemetry.instruments import Instruments
from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring
from telemetry.jobs.processor import JobSpanProcessor

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONTEXT = object()  # jobs are handed it as it is


class Work:
    """A job's body: says that it began, goes on as soon as it may, and does what it was told to."""

    def __init__(self, result=None, error=None, *, waits=False):
        self.contexts = []
        self.began, self.may_end = threading.Semaphore(0), threading.Event()
        self._result, self._error = result or {}, error
        if not waits:
            self.may_end.set()

    def __call__(self, context):
        self.contexts.append(context)
        self.began.release()
        assert self.may_end.wait(30)
        if self._error:
            raise self._error
        return self._result


class Ticks:
    """Claims: gives each tick once, to whoever comes first."""

    def __init__(self, *taken):
        self.asked = []
        self._taken = set(taken)

    def take(self, job_name, tick):
        self.asked.append((job_name, tick))
        first = (job_name, tick) not in self._taken
        self._taken.add((job_name, tick))
        return first


@pytest.fixture
def runs():
    """The runs that are recorded."""
    runs = []
    tracers = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    tracers.add_span_processor(JobSpanProcessor(runs.append))
    meters = MeterProvider(shutdown_on_exit=False)
    monitor.activate(JobMonitoring(tracers.get_tracer("tests"), Instruments.create(meters.get_meter("tests"))))
    yield runs
    monitor.deactivate()


@pytest.fixture
def scheduler_of(runs):
    made = []

    def make(*jobs, claim=None, now=lambda: NOON):
        scheduler = Scheduler(Schedule(Settings(), jobs), CONTEXT, claim or Ticks().take, now)
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        assert scheduler.stop(10) == []


def ended(runs):
    return [run for run in runs if run.status != "running"]


def begun(scheduler):
    """Wait until what was begun has ended."""
    for thread in scheduler._running.values():
        thread.join(30)


def minutely(work, name="sync"):
    return Job(name, Every(MINUTE), work)


def test_a_job_is_due_at_its_tick_and_not_before(scheduler_of):
    work = Work()
    scheduler = scheduler_of(minutely(work))

    assert scheduler.step(NOON) == NOON + MINUTE
    assert scheduler.step(NOON + MINUTE - timedelta(microseconds=1)) == NOON + MINUTE
    begun(scheduler)
    assert work.contexts == []

    assert scheduler.step(NOON + MINUTE) == NOON + 2 * MINUTE
    begun(scheduler)
    assert work.contexts == [CONTEXT]


def test_a_tick_runs_once(scheduler_of):
    work, ticks = Work(), Ticks()
    scheduler = scheduler_of(minutely(work), claim=ticks.take)
    scheduler.step(NOON)

    for seconds in (60, 61, 119):
        scheduler.step(NOON + timedelta(seconds=seconds))
        begun(scheduler)

    assert ticks.asked == [("sync", NOON + MINUTE)]


def test_of_several_ticks_that_were_missed_the_last_one_runs(scheduler_of, runs):
    scheduler = scheduler_of(minutely(Work()))
    scheduler.step(NOON)

    following = scheduler.step(NOON + timedelta(minutes=30, seconds=20))
    begun(scheduler)

    assert following == NOON + timedelta(minutes=31)
    assert [run.scheduled_for for run in ended(runs)] == [NOON + timedelta(minutes=30)]


def test_the_next_step_is_wanted_at_the_first_tick_of_all_jobs(scheduler_of):
    hourly = Job("hourly", Every(timedelta(hours=1)), Work())

    assert scheduler_of(hourly, minutely(Work())).step(NOON) == NOON + MINUTE
    assert scheduler_of(hourly).step(NOON) == NOON + timedelta(hours=1)
    assert scheduler_of().step(NOON) == NOON + LONGEST_SLEEP


def test_a_job_that_is_not_scheduled_does_not_run(scheduler_of):
    work = Work()
    scheduler = scheduler_of(Job("sync", Every(MINUTE), work, lambda _settings: "WB_API_TOKEN is not set."))

    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)

    assert work.contexts == []
    assert scheduler._running == {}


def test_a_job_that_is_still_running_lets_its_tick_pass_and_says_so(scheduler_of, caplog):
    work, ticks = Work(waits=True), Ticks()
    scheduler = scheduler_of(minutely(work), claim=ticks.take)
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert work.began.acquire(timeout=30)

    scheduler.step(NOON + 2 * MINUTE)
    work.may_end.set()
    begun(scheduler)
    scheduler.step(NOON + 3 * MINUTE)
    begun(scheduler)

    assert [tick for _, tick in ticks.asked] == [NOON + MINUTE, NOON + 3 * MINUTE]
    assert caplog.messages == ["sync is still running; its tick of 2025-10-02T12:02:00+00:00 passes."]


def test_a_job_that_takes_long_does_not_keep_another_from_its_tick(scheduler_of):
    slow, quick = Work(waits=True), Work()
    scheduler = scheduler_of(minutely(slow, "slow"), minutely(quick, "quick"))
    scheduler.step(NOON)

    for minutes in (1, 2):
        scheduler.step(NOON + minutes * MINUTE)
        assert quick.began.acquire(timeout=30)
        scheduler._running["quick"].join(30)
    slow.may_end.set()

    assert len(quick.contexts) == 2


def test_a_tick_that_somebody_else_has_claimed_is_theirs(scheduler_of, runs):
    work = Work()
    scheduler = scheduler_of(minutely(work), claim=Ticks(("sync", NOON + MINUTE)).take)
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    begun(scheduler)

    assert (work.contexts, runs) == ([], [])


def test_a_run_is_recorded_with_its_tick_and_with_what_the_job_returns(scheduler_of, runs):
    scheduler = scheduler_of(minutely(Work({"records": 3})))
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    begun(scheduler)

    [run] = ended(runs)
    assert (run.job_name, run.status, run.scheduled_for) == ("sync", "success", NOON + MINUTE)
    assert run.metadata == {"records": 3}


def test_a_run_that_somebody_asked_for_has_no_tick_and_what_it_raises_is_theirs(runs):
    with pytest.raises(ValueError, match="no such shop"):
        run_job(minutely(Work(error=ValueError("no such shop"))), CONTEXT)

    [run] = ended(runs)
    assert (run.status, run.error_message, run.scheduled_for) == ("failed", "no such shop", None)


def test_a_job_that_fails_is_logged_once_and_runs_again_at_its_next_tick(scheduler_of, runs, caplog):
    scheduler = scheduler_of(minutely(Work(error=ValueError("no such shop"))), minutely(Work(), "other"))
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    begun(scheduler)
    [logged] = caplog.records
    scheduler.step(NOON + 2 * MINUTE)
    begun(scheduler)

    assert (logged.levelno, logged.message, logged.component) == (logging.ERROR, "Job sync failed", "scheduler")
    assert str(logged.exc_info[1]) == "no such shop"
    assert (
        sorted((run.job_name, run.status) for run in ended(runs))
        == [("other", "success")] * 2 + [("sync", "failed")] * 2
    )


def test_a_claim_that_fails_is_logged_and_its_job_does_not_run(scheduler_of, caplog):
    def gone(_job_name, _tick):
        raise ConnectionResetError(104, "the database is gone")

    work = Work()
    scheduler = scheduler_of(minutely(work), claim=gone)
    scheduler.step(NOON)

    for minutes in (1, 2):
        scheduler.step(NOON + minutes * MINUTE)
        begun(scheduler)

    assert work.contexts == []
    assert [(record.message, record.component) for record in caplog.records] == [("Job sync failed", "scheduler")] * 2


def test_a_stop_waits_for_a_run_that_ends_within_the_grace(scheduler_of, runs):
    work = Work(waits=True)
    scheduler = scheduler_of(minutely(work))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert work.began.acquire(timeout=30)

    threading.Timer(0.05, work.may_end.set).start()

    assert scheduler.stop(30) == []
    assert [run.status for run in ended(runs)] == ["success"]


def test_a_stop_waits_no_longer_than_the_grace_and_names_who_was_not_done(scheduler_of):
    slow = [Work(waits=True), Work(waits=True)]
    scheduler = scheduler_of(minutely(slow[0], "one"), minutely(slow[1], "two"), minutely(Work(), "quick"))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    scheduler._running["quick"].join(30)
    began = datetime.now(UTC)

    late = scheduler.stop(0.1)

    assert sorted(late) == ["one", "two"]
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    for work in slow:
        work.may_end.set()


class Clock:
    """Jumps one minute ahead with each look at it."""

    def __init__(self):
        self.moment = NOON

    def __call__(self):
        self.moment += MINUTE
        return self.moment


def test_the_loop_runs_what_is_due_until_it_is_stopped(scheduler_of):
    work = Work()
    scheduler = scheduler_of(minutely(work), now=Clock())

    scheduler.start()
    for _ in range(2):
        assert work.began.acquire(timeout=30)
    scheduler.check()

    assert scheduler.stop(30) == []
    done = len(work.contexts)
    assert not scheduler._loop.is_alive()
    assert len(work.contexts) == done


def test_a_scheduler_that_was_stopped_before_it_began_runs_nothing(scheduler_of):
    work = Work()
    scheduler = scheduler_of(minutely(work), now=Clock())

    assert scheduler.stop(1) == []
    scheduler.start()
    scheduler._loop.join(30)

    assert work.contexts == []


def test_the_check_is_content_with_a_scheduler_that_is_not_to_run(scheduler_of):
    scheduler_of().check()

    stopped = scheduler_of()
    stopped.start()
    stopped.stop(30)
    stopped.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_check_fails_when_the_loop_has_died(scheduler_of):
    def broken():
        raise OverflowError("date value out of range")

    scheduler = scheduler_of(minutely(Work()), now=broken)
    scheduler.start()
    scheduler._loop.join(30)

    with pytest.raises(CheckFailed, match="the scheduler has stopped"):
        scheduler.check()
