import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from sqlalchemy.exc import OperationalError

from service.integrations.http.sleep import InstrumentedSleep
from service.jobs.schedule import Every
from service.scheduler.job import Job, Schedule, Skipped
from service.scheduler.run_threads import MAX_THREADS_PER_JOB
from service.scheduler.scheduler import (
    MAX_SLEEP,
    RENEWED_WITHIN,
    Scheduler,
    SchedulerHooks,
    execute_job,
)
from service.settings import Settings
from service.shutdown import StopSignal
from telemetry.error_text import CheckFailed
from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring
from tests.support.job_spans import processor_into

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class FakeContext:
    """The same argument for each run."""

    def for_run(self, _progress):
        return self


CONTEXT = FakeContext()


class Work:
    """A job's body: signals its start, waits until it may end, then returns or raises as given."""

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


class FakeClaims:
    """Gives each tick once, to the first claimant. While a run is active, the next ticks overlap."""

    def __init__(self, *claimed):
        self.asked, self.released = [], []
        self._claimed = set(claimed)
        self._running = {}
        self._lock = threading.Lock()

    def claim_tick(self, job_name, tick, owner, *, overlaps=False):
        with self._lock:
            self.asked.append((job_name, tick))
            first = (job_name, tick) not in self._claimed
            self._claimed.add((job_name, tick))
            if first and job_name in self._running and not overlaps:
                return "overlaps"
            if first:
                self._running[job_name] = owner
            return "claimed" if first else "lost"

    def check(self):
        """A claim is possible."""

    def renew(self, job_name, owner):
        return True

    def release(self, job_name, owner):
        with self._lock:
            self.released.append(job_name)
            self._running.pop(job_name, None)


@pytest.fixture
def runs():
    """The runs that are recorded."""
    runs = []
    tracers = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    tracers.add_span_processor(processor_into(runs.append))
    monitor.activate(JobMonitoring(tracers.get_tracer("tests")))
    yield runs
    monitor.deactivate()


@pytest.fixture
def scheduler_of(runs):
    made = []

    def make(*jobs, claims=None, now=lambda: NOON, hooks=None):
        given = {"hooks": hooks} if hooks else {}
        scheduler = Scheduler(Schedule(Settings(), jobs), CONTEXT, claims or FakeClaims(), now, **given)
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        assert scheduler.stop(10) == []


def ended(runs):
    return [run for run in runs if run.status != "running"]


def join_runs(scheduler):
    """Wait until all started runs have ended."""
    for thread, _ in scheduler.threads.alive():
        thread.join(30)


def minutely(work, name="sync"):
    return Job(name, Every(MINUTE), work)


def test_a_job_is_due_at_its_tick_and_not_before(scheduler_of):
    work = Work()
    scheduler = scheduler_of(minutely(work))

    assert scheduler.step(NOON) == NOON + MINUTE
    assert scheduler.step(NOON + MINUTE - timedelta(microseconds=1)) == NOON + MINUTE
    join_runs(scheduler)
    assert work.contexts == []

    assert scheduler.step(NOON + MINUTE) == NOON + 2 * MINUTE
    join_runs(scheduler)
    assert work.contexts == [CONTEXT]


def test_a_tick_runs_once(scheduler_of):
    work, claims = Work(), FakeClaims()
    scheduler = scheduler_of(minutely(work), claims=claims)
    scheduler.step(NOON)

    for seconds in (60, 61, 119):
        scheduler.step(NOON + timedelta(seconds=seconds))
        join_runs(scheduler)

    assert claims.asked == [("sync", NOON + MINUTE)]


def test_of_several_ticks_that_were_missed_the_last_one_runs(scheduler_of, runs):
    scheduler = scheduler_of(minutely(Work()))
    scheduler.step(NOON)

    following = scheduler.step(NOON + timedelta(minutes=30, seconds=20))
    join_runs(scheduler)

    assert following == NOON + timedelta(minutes=31)
    assert [run.scheduled_for for run in ended(runs)] == [NOON + timedelta(minutes=30)]


@pytest.mark.parametrize("back", [timedelta(minutes=30), timedelta(hours=1), timedelta(days=365)])
def test_after_the_clock_was_set_back_a_job_is_due_at_its_next_tick(scheduler_of, back):
    work = Work()
    scheduler = scheduler_of(minutely(work))
    scheduler.step(NOON)

    assert scheduler.step(NOON - back) == NOON - back + MINUTE
    scheduler.step(NOON - back + MINUTE)

    assert work.began.acquire(timeout=30)
    join_runs(scheduler)


@pytest.mark.parametrize(
    ("by", "starts_at_once"),
    [(timedelta(hours=1), False), (2 * MINUTE, False), (timedelta(hours=-1), True), (MINUTE / 2, True)],
)
def test_after_the_clock_was_set_forward_active_runs_renew_their_leases_before_others_start(
    scheduler_of, by, starts_at_once
):
    """All leases have ended by then: a run would start beside the one before it."""
    now = [NOON + timedelta(seconds=30)]
    scheduler = scheduler_of(minutely(work := Work()), now=lambda: now[0])
    scheduler._step_or_settle(now[0])

    now[0] += by + MINUTE / 2
    waits = scheduler._step_or_settle(now[0])
    join_runs(scheduler)
    assert (waits == RENEWED_WITHIN, len(work.contexts)) == (not starts_at_once, int(starts_at_once and by > -MINUTE))

    now[0] += MINUTE
    scheduler._step_or_settle(now[0])
    join_runs(scheduler)
    assert work.contexts


def test_after_a_start_in_1970_the_scheduler_walks_no_ticks(scheduler_of):
    asked = 0

    class Counting(Every):
        def after(self, moment):
            nonlocal asked
            asked += 1
            return super().after(moment)

    work = Work()
    scheduler = scheduler_of(Job("sync", Counting(timedelta(seconds=1)), work))
    scheduler.step(datetime(1970, 1, 1, 0, 5, tzinfo=UTC))

    scheduler.step(NOON)

    assert work.began.acquire(timeout=30)
    assert asked <= 10
    join_runs(scheduler)


def test_the_next_step_is_wanted_at_the_first_tick_of_all_jobs(scheduler_of):
    hourly = Job("hourly", Every(timedelta(hours=1)), Work())

    assert scheduler_of(hourly, minutely(Work())).step(NOON) == NOON + MINUTE
    assert scheduler_of(hourly).step(NOON) == NOON + timedelta(hours=1)
    assert scheduler_of().step(NOON) == NOON + MAX_SLEEP


def test_a_job_that_is_not_scheduled_does_not_run(scheduler_of):
    work = Work()
    scheduler = scheduler_of(Job("sync", Every(MINUTE), work, lambda _settings: "WB_API_TOKEN is not set."))

    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)

    assert work.contexts == []
    assert scheduler.threads.alive() == []


def test_the_tick_of_a_job_that_is_still_running_is_skipped_and_logged(scheduler_of, caplog):
    work, claims, skipped = Work(waits=True), FakeClaims(), []
    scheduler = scheduler_of(minutely(work), claims=claims, hooks=SchedulerHooks(skipped.append))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert work.began.acquire(timeout=30)
    [(first, _)] = scheduler.threads.alive()

    scheduler.step(NOON + 2 * MINUTE)
    for thread, _ in scheduler.threads.alive():
        if thread is not first:
            thread.join(30)
    work.may_end.set()
    join_runs(scheduler)
    scheduler.step(NOON + 3 * MINUTE)
    join_runs(scheduler)

    assert [tick for _, tick in claims.asked] == [NOON + minutes * MINUTE for minutes in (1, 2, 3)]
    assert len(work.contexts) == 2
    assert skipped == ["sync"]
    assert caplog.messages == [
        "Skipped the run of sync at 2025-10-02T12:02:00+00:00: the previous run is still active."
    ]


def unavailable(_job_name):
    raise OperationalError("select", {}, Exception("locked"))


@pytest.mark.parametrize(
    ("max_runtime", "active_since", "level", "end"),
    [
        (2 * MINUTE, lambda _job_name: NOON + MINUTE, "INFO", "still active."),
        (2 * MINUTE, lambda _job_name: NOON, "INFO", "still active."),
        (2 * MINUTE, lambda _job_name: None, "INFO", "still active."),
        (2 * MINUTE, unavailable, "INFO", "still active."),
        (MINUTE, lambda _job_name: NOON, "WARNING", "It began at 2025-10-02T12:00:00+00:00, and may take 60 s."),
        (None, lambda _job_name: NOON, "WARNING", "still active."),
    ],
)
def test_a_run_that_is_still_active_within_its_maximum_runtime_is_no_warning(
    scheduler_of, caplog, max_runtime, active_since, level, end
):
    class Overlapping(FakeClaims):
        def claim_tick(self, *_arguments, **_how):
            return "overlaps"

    skipped = []
    hooks = SchedulerHooks(active_since=active_since, on_skipped=skipped.append)
    job = replace(minutely(Work()), max_runtime=max_runtime)
    scheduler = scheduler_of(job, claims=Overlapping(), hooks=hooks, now=lambda: NOON + 2 * MINUTE)
    scheduler.step(NOON + MINUTE)

    with caplog.at_level(logging.INFO, logger="service"):
        scheduler.step(NOON + 2 * MINUTE)
        join_runs(scheduler)

    [record] = caplog.records
    assert (record.levelname, skipped) == (level, ["sync"])
    assert record.getMessage().startswith("Skipped the run of sync at 2025-10-02T12:02:00+00:00: the previous run is ")
    assert record.getMessage().endswith(end)


def test_runs_of_a_job_that_overlaps_are_active_at_once(scheduler_of):
    work = Work(waits=True)
    scheduler = scheduler_of(replace(minutely(work), overlaps=True))
    scheduler.step(NOON)

    for minutes in (1, 2):
        scheduler.step(NOON + minutes * MINUTE)
        assert work.began.acquire(timeout=30)
    work.may_end.set()

    assert len(work.contexts) == 2


def test_the_lease_is_released_however_a_run_ends(scheduler_of):
    claims = FakeClaims()
    scheduler = scheduler_of(minutely(Work(error=ValueError("no"))), minutely(Work(), "other"), claims=claims)
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    join_runs(scheduler)

    assert sorted(claims.released) == ["other", "sync"]


def test_no_more_than_eight_attempts_at_a_job_wait_at_once(scheduler_of):
    class Hanging(FakeClaims):
        def claim_tick(self, *arguments, **how):
            assert may_end.wait(30)
            return super().claim_tick(*arguments, **how)

    may_end, skipped = threading.Event(), []
    scheduler = scheduler_of(minutely(Work()), claims=Hanging(), hooks=SchedulerHooks(skipped.append))
    scheduler.step(NOON)

    for minutes in range(1, 13):
        scheduler.step(NOON + minutes * MINUTE)
    waiting = len(scheduler.threads.alive())
    may_end.set()

    assert waiting == MAX_THREADS_PER_JOB
    assert len(skipped) >= 12 - MAX_THREADS_PER_JOB


def test_a_service_that_is_stopping_starts_nothing(scheduler_of):
    work, stop_signal = Work(), StopSignal()
    scheduler = scheduler_of(minutely(work), hooks=SchedulerHooks(stop_signal=stop_signal))
    scheduler.step(NOON)
    stop_signal.set()

    scheduler.step(NOON + MINUTE)

    assert scheduler.threads.alive() == []
    assert work.contexts == []


def test_a_job_that_takes_long_does_not_keep_another_from_its_tick(scheduler_of):
    slow, quick = Work(waits=True), Work()
    scheduler = scheduler_of(minutely(slow, "slow"), minutely(quick, "quick"))
    scheduler.step(NOON)

    for minutes in (1, 2):
        scheduler.step(NOON + minutes * MINUTE)
        assert quick.began.acquire(timeout=30)
        for thread, name in scheduler.threads.alive():
            if name == "quick":
                thread.join(30)
    slow.may_end.set()

    assert len(quick.contexts) == 2


def test_a_tick_that_another_process_has_claimed_is_not_run(scheduler_of, runs):
    work = Work()
    scheduler = scheduler_of(minutely(work), claims=FakeClaims(("sync", NOON + MINUTE)))
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    join_runs(scheduler)

    assert (work.contexts, runs) == ([], [])


def test_a_run_is_recorded_with_its_tick_and_with_what_the_job_returns(scheduler_of, runs):
    scheduler = scheduler_of(minutely(Work({"records": 3})))
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    join_runs(scheduler)

    [run] = ended(runs)
    assert (run.job_name, run.status, run.scheduled_for) == ("sync", "success", NOON + MINUTE)
    assert run.metadata == {"records": 3}


@pytest.mark.parametrize(
    ("result", "outcome"), [(Skipped(paused_until="2083"), "skipped"), ({"paused_until": "2083"}, "success")]
)
def test_a_job_says_that_it_could_only_wait(runs, result, outcome):
    execute_job(minutely(Work(result)), CONTEXT)

    [run] = ended(runs)
    assert (run.status, run.outcome, run.metadata) == ("success", outcome, {"paused_until": "2083"})


def test_a_run_has_its_deadline_while_it_goes_on(runs):
    execute_job(replace(minutely(Work({})), max_runtime=timedelta(minutes=10)), CONTEXT)

    begun, _ = runs
    assert (begun.status, begun.deadline_at) == ("running", begun.started_at + timedelta(minutes=10))


def test_a_manual_run_has_no_tick_and_raises_what_the_job_raises(runs):
    with pytest.raises(ValueError, match="no such shop"):
        execute_job(minutely(Work(error=ValueError("no such shop"))), CONTEXT)

    [run] = ended(runs)
    assert (run.status, run.error_message, run.scheduled_for) == ("failed", "no such shop", None)


def test_a_job_that_fails_is_logged_once_and_runs_again_at_its_next_tick(scheduler_of, runs, caplog):
    scheduler = scheduler_of(minutely(Work(error=ValueError("no such shop"))), minutely(Work(), "other"))
    scheduler.step(NOON)

    scheduler.step(NOON + MINUTE)
    join_runs(scheduler)
    [logged] = caplog.records
    scheduler.step(NOON + 2 * MINUTE)
    join_runs(scheduler)

    assert (logged.levelno, logged.message, logged.component) == (logging.ERROR, "Job sync failed", "scheduler")
    assert str(logged.exc_info[1]) == "no such shop"
    assert (
        sorted((run.job_name, run.status) for run in ended(runs))
        == [("other", "success")] * 2 + [("sync", "failed")] * 2
    )


def test_a_claim_that_fails_is_logged_and_its_job_does_not_run(scheduler_of, caplog):
    class Gone(FakeClaims):
        def claim_tick(self, *_arguments, **_how):
            raise ConnectionResetError(104, "the database is gone")

    work = Work()
    scheduler = scheduler_of(minutely(work), claims=Gone())
    scheduler.step(NOON)

    for minutes in (1, 2):
        scheduler.step(NOON + minutes * MINUTE)
        join_runs(scheduler)

    assert work.contexts == []
    assert [(record.message, record.component) for record in caplog.records] == [("Job sync failed", "scheduler")] * 2


def test_a_database_that_refuses_claims_is_said_once_and_keeps_the_check_failing_until_it_takes_them(
    scheduler_of, caplog
):
    class ReadOnly(FakeClaims):
        refuses = True

        def check(self):
            if self.refuses:
                raise OperationalError("UPDATE", None, Exception("attempt to write a readonly database"))

        def claim_tick(self, *arguments, **how):
            self.check()
            return super().claim_tick(*arguments, **how)

    caplog.set_level(logging.INFO)
    work, claims = Work(), ReadOnly()
    scheduler = scheduler_of(minutely(work), claims=claims)
    for minutes in range(4):
        scheduler.step(NOON + minutes * MINUTE)
        join_runs(scheduler)
    assert caplog.messages == [
        "The scheduler cannot claim runs: the database is read-only. No job starts until it can."
    ]
    for _ in range(2):
        with pytest.raises(CheckFailed, match=r"^runs cannot be claimed: the database is read-only$"):
            scheduler.check()

    claims.refuses = False
    scheduler.check()
    scheduler.step(NOON + 4 * MINUTE)
    join_runs(scheduler)

    assert len(work.contexts) == 1
    assert caplog.messages[1:] == ["The scheduler can claim runs again."]
    assert scheduler.claim_problem() == ""


def test_a_stop_waits_for_a_run_that_ends_within_the_grace(scheduler_of, runs):
    work = Work(waits=True)
    scheduler = scheduler_of(minutely(work))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert work.began.acquire(timeout=30)

    threading.Timer(0.05, work.may_end.set).start()

    assert scheduler.stop(30) == []
    assert [run.status for run in ended(runs)] == ["success"]


def test_a_stop_cancels_what_is_not_done_within_the_grace_and_records_it_so(scheduler_of, runs, caplog):
    def works_on(_context):
        began.release()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            time.sleep(0.005)

    began = threading.Semaphore(0)
    scheduler = scheduler_of(minutely(works_on, "one"), minutely(works_on, "two"))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert began.acquire(timeout=30)
    assert began.acquire(timeout=30)

    late = scheduler.stop(0.1)

    assert late == []
    assert sorted((run.job_name, run.outcome) for run in ended(runs)) == [("one", "cancelled"), ("two", "cancelled")]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_job_that_waits_for_its_turn_when_the_service_stops_is_recorded_as_cancelled_and_is_no_error(
    scheduler_of, runs, caplog
):
    def waits(_context):
        began.set()
        InstrumentedSleep(stopping, lambda *_about: None).for_service("ozon")(60, "pace")

    stopping, began = StopSignal(), threading.Event()
    scheduler = scheduler_of(minutely(waits))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert began.wait(30)

    stopping.set()
    late = scheduler.stop(30)

    [run] = ended(runs)
    assert late == []
    assert (run.status, run.outcome) == ("failed", "cancelled")
    assert run.error_message == "the service stops while this waits for ozon"
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_stop_waits_no_longer_than_it_may_for_what_cannot_be_cancelled_and_names_it(scheduler_of):
    work = Work(waits=True)  # it waits for a lock, where no exception reaches it
    scheduler = scheduler_of(minutely(work, "stuck"), minutely(Work(), "quick"))
    scheduler.step(NOON)
    scheduler.step(NOON + MINUTE)
    assert work.began.acquire(timeout=30)
    began = time.monotonic()

    late = scheduler.stop(0.1)

    assert late == ["stuck"]
    assert time.monotonic() - began < 10
    work.may_end.set()


class Clock:
    """Advances by half a minute each time it is read: more would be a clock that is set."""

    def __init__(self):
        self.moment = NOON

    def __call__(self):
        self.moment += MINUTE / 2
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


def test_a_scheduler_that_was_stopped_before_its_start_runs_nothing(scheduler_of):
    work = Work()
    scheduler = scheduler_of(minutely(work), now=Clock())

    assert scheduler.stop(1) == []
    scheduler.start()
    scheduler._loop.join(30)

    assert work.contexts == []


def test_a_stop_in_the_middle_of_the_start_ends_it(scheduler_of, monkeypatch):
    work, start = Work(), threading.Thread.start
    scheduler = scheduler_of(minutely(work), now=Clock())

    def stop_first(thread):
        scheduler.stop(1)
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", stop_first)
        scheduler.start()

    assert scheduler.stop(30) == []
    assert not scheduler._loop.is_alive()
    assert work.contexts == []


def test_the_check_passes_for_a_scheduler_that_is_not_to_run(scheduler_of):
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
