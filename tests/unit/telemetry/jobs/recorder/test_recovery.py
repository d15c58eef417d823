from functools import partial

import pytest
from sqlalchemy.exc import OperationalError

from telemetry.jobs.recorder import orphaned_spools
from telemetry.jobs.recorder.recovery import BATCH_SIZE, SpoolRecovery
from telemetry.jobs.run import UnwritableRunError
from telemetry.jobs.store.running_runs import RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from tests.support import spools
from tests.support.job_runs import ended, run_id, started


class FakeCounters:
    def __init__(self):
        self.replays, self.drops = 0, []

    def count_replayed(self, number):
        self.replays += number

    def count_dropped(self, number, reason):
        self.drops.append((number, reason))


@pytest.fixture
def store(engine):
    return JobRunRepository(engine)


@pytest.fixture
def counters():
    return FakeCounters()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def recovery(engine, directory, store, counters):
    return SpoolRecovery(directory, lambda: spools.live_ids(directory), store, RunningRuns(engine), counters)


@pytest.fixture
def leave_spool(directory):
    return partial(spools.leave_spool, directory)


def always():
    return True


def outcomes(store):
    return {int(row.run_id, 16): row.outcome for row in store.page(limit=1000)}


def files(directory):
    return list(directory.iterdir())


def test_what_a_dead_process_left_is_in_the_database_and_what_it_had_under_way_is_lost(
    recovery, store, leave_spool, counters, directory
):
    leave_spool(started(1), ended(1), started(2), started(3), ended(3, "timeout"))

    lost = recovery.recover(always)

    assert [run.run_id for run in lost] == [run_id(2)]
    assert outcomes(store) == {1: "success", 2: "lost", 3: "timeout"}
    assert (counters.replays, counters.drops) == (5, [])
    assert files(directory) == []
    assert recovery.recover(always) == []


def test_what_was_in_the_database_before_is_neither_counted_nor_changed(recovery, store, leave_spool, counters):
    store.write([started(1), ended(2), started(3), ended(3)])
    leave_spool(started(1), started(2), ended(2, "error"), started(3), ended(3), started(4))

    lost = recovery.recover(always)

    assert [run.run_id for run in lost] == [run_id(1), run_id(4)]
    assert outcomes(store) == {1: "lost", 2: "success", 3: "success", 4: "lost"}
    assert counters.replays == 1


def test_nobody_has_heard_of_a_run_since_it_was_kept(recovery, store, leave_spool):
    leave_spool(started(1), started(2), ended(2))

    recovery.recover(always)

    assert [row.heartbeat_at for row in reversed(store.page())] == [started(1).started_at, ended(2).finished_at]


def test_an_end_that_was_kept_corrects_a_run_that_was_taken_for_lost(recovery, store, engine, leave_spool):
    store.write([started(1)])
    RunningRuns(engine).mark_lost([run_id(1)])
    leave_spool(started(1), ended(1))

    assert recovery.recover(always) == []

    assert outcomes(store) == {1: "success"}


def test_what_a_living_process_has_is_left_alone(recovery, store, directory):
    spool = spools.ProcessSpool(directory)
    spool.append(started(1))

    assert recovery.recover(always) == []

    assert outcomes(store) == {}
    spool.abandon()


def test_a_database_that_is_away_leaves_everything_where_it_is_for_the_next_time(
    recovery, store, leave_spool, counters, monkeypatch
):
    leave_spool(*[started(number) for number in range(3 * BATCH_SIZE)])
    write, calls = store.replay, []

    def failing(runs):
        calls.append(len(runs))
        if len(calls) == 2:
            raise OperationalError("INSERT", {}, ConnectionError("gone"))
        write(runs)

    monkeypatch.setattr(store, "replay", failing)
    with pytest.raises(OperationalError):
        recovery.recover(always)
    assert recovery.oldest_age() >= 0
    assert recovery._failing_since is not None

    lost = recovery.recover(always)

    assert len(lost) == len(outcomes(store)) == counters.replays == 3 * BATCH_SIZE
    assert recovery.oldest_age() == 0


def test_who_is_told_to_stop_leaves_the_rest(recovery, store, leave_spool, directory):
    leave_spool(*[ended(number) for number in range(3 * BATCH_SIZE)])
    should_continue = iter([True, False])

    assert recovery.recover(lambda: next(should_continue)) == []

    assert len(outcomes(store)) == BATCH_SIZE
    assert recovery.recover(always) == []
    assert len(outcomes(store)) == 3 * BATCH_SIZE
    assert files(directory) == []


def test_a_run_that_the_database_refuses_is_dropped_and_counted_and_the_others_are_brought(
    recovery, store, leave_spool, counters, monkeypatch, caplog
):
    leave_spool(*[ended(number) for number in range(5)])
    write = store.replay

    def refusing(runs):
        if run_id(3) in {run.run_id for run in runs}:
            raise UnwritableRunError("refused")
        write(runs)

    monkeypatch.setattr(store, "replay", refusing)

    recovery.recover(always)

    assert sorted(outcomes(store)) == [0, 1, 2, 4]
    assert (counters.replays, counters.drops) == (4, [(1, "unwritable")])
    assert caplog.messages == [
        "A run of job 'sync' cannot be written, and is kept as a dead letter: UnwritableRunError: refused"
    ]


def test_a_line_that_is_not_whole_is_dropped_and_counted_and_the_others_are_brought(
    recovery, store, leave_spool, counters, directory, caplog
):
    leave_spool(ended(1), ended(2))
    [path] = directory.glob("*.runs")
    path.write_bytes(path.read_bytes()[:-10])

    recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert counters.drops == [(1, "unreadable")]
    assert caplog.messages == ["Incomplete lines in a spool of job runs, kept as dead letters: 1."]


def test_a_spool_that_the_disk_does_not_give_back_keeps_no_other_waiting(
    recovery, store, leave_spool, directory, monkeypatch
):
    leave_spool(ended(1))
    leave_spool(ended(2))
    broken, runs = next(iter(sorted(directory.glob("*.runs")))), orphaned_spools._runs

    def reading(path):
        if path == broken:
            raise OSError(5, "Input/output error")
        return runs(path)

    monkeypatch.setattr(orphaned_spools, "_runs", reading)
    with pytest.raises(OSError, match="Input/output"):
        recovery.recover(always)
    assert len(outcomes(store)) == 1
    monkeypatch.undo()

    recovery.recover(always)

    assert len(outcomes(store)) == 2
    assert list(spools.orphans(directory)) == []
