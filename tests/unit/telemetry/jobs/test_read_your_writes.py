import asyncio
import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from telemetry.jobs import monitor_job
from telemetry.jobs.read_your_writes import EVENT_LOOP_WAIT_TIMEOUT, WAIT_TIMEOUT
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.store.runs import JobRunRepository


@pytest.fixture
def store(engine):
    return JobRunRepository(engine)


@pytest.fixture
def recorder(store, stage):
    recorder = Recorder(store.write)
    stage.activate(recorder)
    yield recorder
    recorder.shutdown(10)


def read(store, run_id):
    return [(row.status, row.details) for row in store.page() if row.run_id == run_id]


def in_with(store):
    with monitor_job("sync", {"a": 1}) as run:
        run.metadata["b"] = 2
    return read(store, run.run_id)


def in_decorated(store):
    seen = []

    @monitor_job("sync", {"a": 1, "b": 2})
    def job():
        seen.append(store)

    job()
    return [(row.status, row.details) for row in store.page()]


async def in_async_with(store):
    async with monitor_job("sync", {"a": 1}) as run:
        run.metadata["b"] = 2
    return read(store, run.run_id)


async def in_decorated_coroutine(store):
    @monitor_job("sync", {"a": 1, "b": 2})
    async def job():
        await asyncio.sleep(0)

    await job()
    return [(row.status, row.details) for row in store.page()]


@pytest.mark.parametrize("use", [in_with, in_decorated, in_async_with, in_decorated_coroutine])
def test_when_the_block_has_ended_the_row_can_be_read(recorder, store, use):
    answer = use(store)

    rows = asyncio.run(answer) if asyncio.iscoroutine(answer) else answer

    assert rows == [("success", {"a": 1, "b": 2})]


def test_when_a_job_has_failed_the_row_can_be_read(recorder, store):
    with pytest.raises(ValueError, match="no orders"), monitor_job("sync"):
        raise ValueError("no orders")

    assert [(row.status, row.error_message) for row in store.page()] == [("failed", "no orders")]


def test_while_a_job_runs_its_row_says_so(recorder, store):
    with monitor_job("sync", {"source": "WB"}) as run:
        assert recorder.wait(run.run_id, 10)

        assert read(store, run.run_id) == [("running", {"source": "WB"})]


def test_whatever_a_job_keeps_can_be_written(recorder, store):
    poison = {
        "nul\x00": "\x00",
        "half": "\ud800",
        "nan": float("nan"),
        "big": 2**80,
        "bytes": b"\xff",
        "inf": [float("inf")],
    }

    with pytest.raises(ValueError), monitor_job("sync", poison):
        raise ValueError("nul \x00 and half \udfff")

    (row,) = store.page()
    assert row.error_message == "nul \ufffd and half ?"
    assert row.details == {
        "nul\ufffd": "\ufffd",
        "half": "?",
        "nan": "nan",
        "big": str(2**80),
        "bytes": "\ufffd",
        "inf": ["inf"],
    }


class Slow:
    """A store whose writes take some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.written = []

    def write(self, runs):
        time.sleep(self.seconds)
        self.written.extend(runs)


async def worst_lag(work):
    """The longest delay of a ticking task on the loop during that, in seconds."""
    gaps, done = [], asyncio.Event()

    async def tick():
        last = time.monotonic()
        while not done.is_set():
            await asyncio.sleep(0.002)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    await work()
    done.set()
    await ticking
    return max(gaps)


def test_a_slow_database_does_not_block_the_event_loop(stage):
    store = Slow(1.0)
    recorder = Recorder(store.write)
    stage.activate(recorder)
    threads = threading.active_count()

    async def job():
        async with monitor_job("sync"):
            await asyncio.sleep(0)

    async def jobs():
        await asyncio.gather(*(job() for _ in range(20)))

    lag = asyncio.run(worst_lag(jobs))

    assert lag < 0.8  # who waits for the database waits for a second
    assert threading.active_count() <= threads + 2  # the spool's and the writer's
    assert recorder.shutdown(10)
    assert {run.status for run in store.written} == {"running", "success"}


def test_a_sync_block_on_an_event_loop_waits_only_for_a_moment(stage):
    recorder = Recorder(Slow(0.4).write)
    stage.activate(recorder)

    async def job():
        started = time.monotonic()
        with monitor_job("sync"):
            pass
        return time.monotonic() - started

    assert EVENT_LOOP_WAIT_TIMEOUT / 2 < asyncio.run(job()) < 0.3
    assert recorder.shutdown(10)


def test_a_thread_waits_for_a_slow_database_but_not_for_long(stage):
    release = threading.Event()
    recorder = Recorder(lambda runs: release.wait(20))
    stage.activate(recorder)
    started = time.monotonic()

    for _ in range(20):
        with monitor_job("sync"):
            pass

    # A write that hangs is not waited for by each.
    assert WAIT_TIMEOUT * 0.9 < time.monotonic() - started < WAIT_TIMEOUT * 10
    release.set()
    assert recorder.shutdown(10)


def test_a_database_that_fails_keeps_no_job_waiting(stage):
    def gone(runs):
        raise OperationalError("INSERT", {}, ConnectionError("refused"))

    recorder = Recorder(gone)
    stage.activate(recorder)
    started = time.monotonic()

    for _ in range(20):
        with monitor_job("sync"):
            pass

    assert time.monotonic() - started < WAIT_TIMEOUT
    assert recorder.size == 40
    assert not recorder.shutdown(0.01)


def test_a_cancellation_while_the_row_is_written_is_the_callers(stage):
    release = threading.Event()
    written = []

    def write(runs):
        release.wait(20)
        written.extend(runs)

    recorder = Recorder(write)
    stage.activate(recorder)
    body_ends = asyncio.Event()

    async def job():
        async with monitor_job("sync"):
            body_ends.set()
        return "never"

    async def cancel_it():
        task = asyncio.create_task(job())
        await body_ends.wait()
        task.cancel("by the caller")
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    asyncio.run(cancel_it())
    assert time.monotonic() - started < WAIT_TIMEOUT
    release.set()
    assert recorder.shutdown(10)
    assert [run.outcome for run in written] == [None, "success"]
