import asyncio
import gc
import os
import threading
import time
import weakref
from datetime import UTC, datetime
from itertools import groupby

import pytest
from opentelemetry import trace

from telemetry.jobs.recorder import intake
from telemetry.jobs.recorder.write_pace import BATCH_SIZE
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import JobRun, UnwritableRunError

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
SOON = 10.0  # seconds; never reached
QUICK = (0.001, 0.01)


def a_run(run_id, status="success"):
    return JobRun(
        run_id=str(run_id),
        job_name="sync",
        status=status,
        started_at=NOON,
        trace_id="t",
        span_id="s",
        worker="host:1",
        heartbeat_at=NOON,
    )


class FakeStore:
    """Keeps the batches that it gets; can fail a number of times, refuse runs, and hang until `proceed` is set."""

    def __init__(self, failures=0, refused=()):
        self.batches = []
        self.failures = failures
        self.refused = set(refused)
        self.calls = 0
        self.entered = threading.Event()
        self.proceed = threading.Event()
        self.proceed.set()

    def write(self, runs):
        self.calls += 1
        self.entered.set()
        self.proceed.wait(SOON)
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the database is gone")
        if self.refused & {run.run_id for run in runs}:
            raise UnwritableRunError("refused")
        self.batches.append([run.run_id for run in runs])

    @property
    def written(self):
        return [run_id for batch in self.batches for run_id in batch]


@pytest.fixture
def recorder_for():
    made = []

    def make(store, **options):
        made.append(Recorder(store.write, **{"retry_delays": QUICK, **options}))
        return made[-1]

    yield make
    for recorder in made:
        recorder.shutdown(SOON)


@pytest.fixture
def blocked_store():
    """A store that hangs until `proceed` is set, at the latest at the end of the test."""
    store = FakeStore()
    store.proceed.clear()
    yield store
    store.proceed.set()


def block_writer(recorder, store):
    """Record a first run and wait until the writer hangs with it; later runs stay in the queue."""
    recorder.record(a_run("first"))
    assert store.entered.wait(SOON)


def test_runs_are_written_in_their_order(recorder_for):
    store = FakeStore()
    recorder = recorder_for(store)

    for n in range(1000):
        recorder.record(a_run(n))

    assert recorder.flush(SOON)
    assert store.written == [str(n) for n in range(1000)]
    assert max(map(len, store.batches)) <= BATCH_SIZE


def test_each_thread_finds_its_runs_in_order(recorder_for):
    store = FakeStore()
    recorder = recorder_for(store)

    def work(name):
        for n in range(200):
            recorder.record(a_run(f"{name}-{n:03}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert recorder.flush(SOON)
    by_thread = {name: list(ids) for name, ids in groupby(sorted(store.written, key=lambda i: i[0]), lambda i: i[0])}
    assert by_thread == {name: [f"{name}-{n:03}" for n in range(200)] for name in "abcd"}


def test_recording_does_not_wait_for_the_database(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)
    started = time.monotonic()

    for n in range(1000):
        recorder.record(a_run(n))

    assert time.monotonic() - started < 4
    assert recorder.size == 1001


def test_waiting_for_a_run_ends_when_it_is_written(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)
    assert not recorder.wait("first", 0.01)

    threading.Timer(0.05, blocked_store.proceed.set).start()

    assert recorder.wait("first", SOON)
    assert blocked_store.written == ["first"]


def test_waiting_for_a_run_that_nobody_recorded_ends_at_once(recorder_for):
    recorder = recorder_for(FakeStore())

    assert recorder.wait("unknown", SOON)
    assert asyncio.run(recorder.wait_async("unknown", SOON))


def test_waiting_ends_when_the_database_fails(recorder_for):
    store = FakeStore(failures=10**9)
    recorder = recorder_for(store, retry_delays=(60, 60))
    started = time.monotonic()
    recorder.record(a_run(1))

    assert not recorder.wait("1", SOON)
    assert time.monotonic() - started < SOON / 2
    assert not recorder.is_healthy
    store.failures = 0


def test_a_coroutine_waits_without_blocking_its_loop(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)

    async def waits():
        waiting = asyncio.gather(*(recorder.wait_async("first", SOON) for _ in range(50)))
        await asyncio.sleep(0)
        threads = threading.active_count()
        blocked_store.proceed.set()
        return await waiting, threads

    before = threading.active_count()
    answers, during = asyncio.run(waits())

    assert answers == [True] * 50
    assert during == before


def test_a_coroutine_gives_up_after_its_time(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)

    assert not asyncio.run(recorder.wait_async("first", 0.01))
    assert recorder._queue._waiters == {}


def test_a_row_that_is_written_just_when_its_time_is_up_disturbs_nothing(recorder_for, blocked_store, caplog):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)

    async def both_at_once():
        waiting = asyncio.create_task(recorder.wait_async("first", 0))
        await asyncio.sleep(0)
        blocked_store.proceed.set()
        assert recorder.flush(SOON)
        time.sleep(0.02)  # noqa: ASYNC251  # the loop is to find both the timeout and the call of the writer
        return await waiting

    assert asyncio.run(both_at_once())
    assert caplog.records == []


def test_a_loop_that_has_closed_does_not_disturb_the_writer(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)

    loop = asyncio.new_event_loop()
    waiting = recorder.wait_async("first", SOON)
    loop.run_until_complete(asyncio.wait([loop.create_task(waiting)], timeout=0.01))
    for task in asyncio.all_tasks(loop):
        task.get_coro().close()
        task._log_destroy_pending = False
    loop.close()
    blocked_store.proceed.set()

    assert recorder.flush(SOON)


def test_a_database_that_is_gone_and_comes_back_gets_everything_in_order(recorder_for, caplog):
    caplog.set_level("INFO")
    store = FakeStore(failures=5)
    recorder = recorder_for(store)

    for n in range(300):
        recorder.record(a_run(n))

    assert recorder.flush(SOON)
    assert store.written == [str(n) for n in range(300)]
    assert recorder.is_healthy
    assert [record.message for record in caplog.records] == [
        "Job runs can't be written now, and wait until they can: ConnectionError: the database is gone",
        "Job runs can be written again.",
    ]


def test_pauses_grow_up_to_the_longest(recorder_for):
    store = FakeStore(failures=7)
    recorder = recorder_for(store, retry_delays=(0.001, 0.004))

    recorder.record(a_run(1))

    assert recorder.flush(SOON)
    assert store.calls == 8
    assert recorder._pace.pause == 0.001


def test_a_full_queue_drops_and_counts(recorder_for, blocked_store):
    dropped = []
    recorder = recorder_for(
        blocked_store, capacity=3, on_dropped=lambda number, reason: dropped.append((number, reason))
    )
    block_writer(recorder, blocked_store)

    for n in range(5):
        recorder.record(a_run(n))

    assert dropped == [(1, "full")] * 3
    assert (recorder.size, recorder.capacity) == (3, 3)
    blocked_store.proceed.set()
    assert recorder.flush(SOON)
    assert blocked_store.written == ["first", "0", "1"]


@pytest.mark.parametrize("poison", [{"0"}, {"57"}, {"0", "1", "99", "149"}, {str(n) for n in range(150)}])
def test_a_run_that_cant_be_written_is_dropped_and_the_others_are_not(recorder_for, poison):
    store, dropped = FakeStore(refused=poison), []
    store.proceed.clear()
    recorder = recorder_for(store, on_dropped=lambda number, reason: dropped.append((number, reason)))

    for n in range(150):
        recorder.record(a_run(n))
    store.proceed.set()

    assert recorder.flush(SOON)
    assert store.written == [str(n) for n in range(150) if str(n) not in poison]
    assert dropped == [(1, "unwritable")] * len(poison)


def test_after_a_run_that_cant_be_written_batches_grow_again(recorder_for):
    store = FakeStore(refused={"0"})
    store.proceed.clear()
    recorder = recorder_for(store)

    for n in range(2000):
        recorder.record(a_run(n))
    store.proceed.set()

    assert recorder.flush(SOON)
    assert max(map(len, store.batches)) == BATCH_SIZE


def test_counting_that_fails_disturbs_nothing(recorder_for):
    def broken(number, reason):
        raise RuntimeError("the counter is broken")

    store = FakeStore(refused={"0"})
    recorder = recorder_for(store, on_dropped=broken)

    recorder.record(a_run(0))
    recorder.record(a_run(1))

    assert recorder.flush(SOON)
    assert store.written == ["1"]


def test_shutdown_writes_what_waits_and_takes_no_more():
    store, dropped = FakeStore(), []
    store.proceed.clear()
    recorder = Recorder(store.write, on_dropped=lambda number, reason: dropped.append((number, reason)))
    for n in range(250):
        recorder.record(a_run(n))
    threading.Timer(0.05, store.proceed.set).start()

    assert recorder.shutdown(SOON)
    recorder.record(a_run("late"))

    assert store.written == [str(n) for n in range(250)]
    assert dropped == [(1, "shutdown")]
    assert not recorder._writer.is_alive()
    assert recorder.shutdown(SOON)


def test_shutdown_of_a_recorder_that_never_had_a_run():
    assert Recorder(FakeStore().write).shutdown(SOON)


def test_shutdown_does_not_hang_with_a_database_that_hangs(blocked_store):
    dropped = []
    recorder = Recorder(blocked_store.write, on_dropped=lambda number, reason: dropped.append((number, reason)))
    block_writer(recorder, blocked_store)
    recorder.record(a_run(1))
    waiting = threading.Thread(target=recorder.wait, args=("1", SOON))
    waiting.start()
    started = time.monotonic()

    assert not recorder.shutdown(0.05)

    assert time.monotonic() - started < 2
    assert dropped == [(2, "shutdown")]
    assert not recorder.shutdown(0)
    assert dropped == [(2, "shutdown")]
    waiting.join(SOON / 2)
    assert not waiting.is_alive()
    blocked_store.proceed.set()
    recorder._writer.join(SOON)
    assert not recorder._writer.is_alive()


def test_shutdown_tries_again_at_once_when_the_database_has_just_failed():
    store = FakeStore(failures=1)
    recorder = Recorder(store.write, retry_delays=(60, 60))
    recorder.record(a_run(1))
    assert not recorder.wait("1", SOON)

    assert recorder.shutdown(SOON / 2)
    assert store.written == ["1"]


def test_shutdown_gives_up_on_a_database_that_stays_away():
    dropped = []
    recorder = Recorder(
        FakeStore(failures=10**9).write,
        retry_delays=QUICK,
        on_dropped=lambda number, reason: dropped.append((number, reason)),
    )
    recorder.record(a_run(1))

    assert not recorder.shutdown(0.05)

    assert dropped == [(1, "shutdown")]
    recorder._writer.join(SOON)
    assert not recorder._writer.is_alive()


def test_a_write_that_hangs_is_not_well(recorder_for, blocked_store, monkeypatch):
    monkeypatch.setattr("telemetry.jobs.recorder.write_pace.HANGING_WRITE_SECONDS", 0.01)
    recorder = recorder_for(blocked_store)
    assert recorder.is_healthy
    block_writer(recorder, blocked_store)

    recorder._pace._writing_since -= 1
    assert not recorder.is_healthy

    blocked_store.proceed.set()
    assert recorder.flush(SOON)
    assert recorder.is_healthy


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_died_is_replaced(recorder_for):
    class Deadly(FakeStore):
        def write(self, runs):
            if not self.calls:
                self.calls = 1
                raise SystemExit
            super().write(runs)

    store = Deadly()
    recorder = recorder_for(store)
    recorder.record(a_run(1))
    recorder._writer.join(SOON)
    assert not recorder.wait("1", SOON)

    recorder.record(a_run(2))

    assert recorder.flush(SOON)
    assert store.written == ["1", "2"]


def test_the_writers_queries_have_an_unsampled_parent(recorder_for):
    contexts = []

    class Curious(FakeStore):
        def write(self, runs):
            contexts.append(trace.get_current_span().get_span_context())

    recorder = recorder_for(Curious())
    recorder.record(a_run(1))

    assert recorder.flush(SOON)
    assert contexts[0].is_valid
    assert not contexts[0].trace_flags.sampled


def test_recording_inside_the_lock_does_not_hang(recorder_for, monkeypatch):
    """As when the garbage collector closes a generator, and with it a job, in the middle of another's record."""
    monkeypatch.setattr(intake, "RECORD_TIMEOUT", 0.01)
    store = FakeStore()
    recorder = recorder_for(store)

    with recorder._queue.changed:
        recorder.record(a_run(1))

    assert recorder.flush(SOON)


def answer_of(store, recorder):
    """The answer of the child: it has a lock, a queue and a writer of its own."""
    store.proceed = threading.Event()
    store.proceed.set()
    recorder.record(a_run("child"))
    return b"good" if recorder.shutdown(5.0) and store.written == ["child"] else b"bad"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_after_a_fork_records_on_its_own(recorder_for, blocked_store):
    recorder = recorder_for(blocked_store)
    block_writer(recorder, blocked_store)
    reading, writing = os.pipe()

    with recorder._queue.changed:  # as if another thread held it in that moment
        child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        try:
            os.write(writing, answer_of(blocked_store, recorder))
        finally:
            os._exit(0)
    os.close(writing)

    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == b"good"
    os.waitpid(child, 0)


def test_the_writer_does_not_wait_for_itself(recorder_for):
    """As when the garbage collector closes a generator, and with it a job, in the writer's thread."""
    waited = []

    class Selfish(FakeStore):
        def write(self, runs):
            started = time.monotonic()
            recorder.wait(runs[0].run_id, SOON)
            waited.append(time.monotonic() - started)

    recorder = recorder_for(Selfish())
    recorder.record(a_run(1))

    assert recorder.flush(SOON)
    assert max(waited) < SOON / 2


def test_a_recorder_that_is_over_can_be_forgotten():
    recorder = Recorder(FakeStore().write)
    recorder.record(a_run(1))
    recorder.shutdown(SOON)
    forgotten = weakref.ref(recorder)

    del recorder
    gc.collect()

    assert forgotten() is None
