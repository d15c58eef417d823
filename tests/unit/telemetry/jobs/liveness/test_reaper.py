from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from telemetry.database import create_engine, transaction
from telemetry.jobs.liveness.heartbeat import HEARTBEAT_INTERVAL
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow
from telemetry.processes.registry import ProcessRegistry
from tests.support.job_runs import ended, run_id, started
from tests.support.spools import leave_spool

LONG_AGO = datetime(2025, 10, 2, tzinfo=UTC)


class FakeCounters:
    def __init__(self):
        self.lost_runs = []

    def count_replayed(self, number):
        pass

    def count_dropped(self, number, reason):
        pass

    def count_lost(self, job_name, runs):
        self.lost_runs.append((job_name, runs))


class Stage:
    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory
        self.counters, self.own_runs, self.clock = FakeCounters(), [], 0.0
        self.reaper = Reaper(
            engine,
            directory,
            ProcessRegistry(directory.parent),
            lambda: self.own_runs,
            self.counters,
            lambda: self.clock,
        )

    def leave_spool(self, *runs):
        leave_spool(self.directory, *runs)

    def rows(self):
        return {int(row.run_id, 16): row for row in JobRunRepository(self.engine).page()}

    def make_stale(self):
        with transaction(self.engine) as session:
            session.execute(update(JobRunRow).values(heartbeat_at=LONG_AGO))


@pytest.fixture
def stage(engine, tmp_path):
    return Stage(engine, tmp_path / "spool")


def test_runs_that_were_lost_are_counted_and_said_once_a_job_with_whose_they_were(stage, caplog):
    stage.leave_spool(started(1), started(2, worker="host:2"), started(3, job_name="clean"))

    stage.reaper.run_once()
    stage.reaper.run_once()

    assert sorted(stage.counters.lost_runs) == [("clean", 1), ("sync", 2)]
    assert sorted((record.levelname, record.getMessage()) for record in caplog.records) == [
        (
            "ERROR",
            "2 runs of sync marked as lost: host:1, host:2 ended without finishing (killed, out of memory, or the host went down).",
        ),
        (
            "ERROR",
            "A run of clean marked as lost: host:1 ended without finishing (killed, out of memory, or the host went down).",
        ),
    ]
    assert {record.component for record in caplog.records} == {"jobs"}


def test_the_runs_of_this_process_beat_every_few_seconds(stage):
    JobRunRepository(stage.engine).write([started(1)])
    stage.own_runs = [run_id(1)]
    was_renewed = []
    for clock in (0, HEARTBEAT_INTERVAL / 2, HEARTBEAT_INTERVAL):
        stage.make_stale()
        stage.clock = clock
        stage.reaper.run_once()
        was_renewed.append(stage.rows()[1].heartbeat_at > LONG_AGO)

    assert was_renewed == [True, False, True]


def test_the_runs_of_this_process_beat_while_it_brings_what_others_left(stage, monkeypatch):
    JobRunRepository(stage.engine).write([started(0)])
    stage.own_runs = [run_id(0)]
    stage.leave_spool(*[ended(number) for number in range(1, 250)])
    heartbeats, heartbeat = [], stage.reaper._running_runs.heartbeat

    def counting(run_ids, _time_left):
        stage.clock += HEARTBEAT_INTERVAL
        heartbeats.append(run_ids)
        heartbeat(run_ids)

    monkeypatch.setattr(stage.reaper._running_runs, "heartbeat", counting)

    stage.reaper.run_once()

    assert len(heartbeats) == 1 + 3


def test_before_the_table_is_made_there_is_nothing_to_look_after(tmp_path, caplog):
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    stage = Stage(engine, tmp_path / "spool")
    stage.leave_spool(started(1))

    stage.reaper.run_once()

    assert caplog.messages == []
    assert len(list(stage.directory.iterdir())) == 1
    engine.dispose()


def test_a_process_has_one_that_looks_however_often_it_is_started_and_a_child_has_its_own(stage):
    stage.reaper.start()
    first = stage.reaper._task
    stage.reaper.start()
    assert stage.reaper._task is first

    stage.reaper.restart_in_child()
    stage.reaper.start()
    child = stage.reaper._task
    assert child is not first

    for each in (first, child):
        each.stop(30)
        assert not each._thread.is_alive()


def test_what_was_never_started_is_stopped_all_the_same(stage):
    stage.reaper.stop()
