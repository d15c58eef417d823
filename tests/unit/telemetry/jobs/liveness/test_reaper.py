import os
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from telemetry.database import create_engine, transaction
from telemetry.jobs.liveness.heartbeat import BEAT
from telemetry.jobs.liveness.reaper import Reaper
from telemetry.jobs.recorder.spool import Spool
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow
from tests.support.job_runs import begun, ended, run_id

LONG_AGO = datetime(2025, 10, 2, tzinfo=UTC)


class Counts:
    def __init__(self):
        self.losses = []

    def replayed(self, number):
        pass

    def dropped(self, number, reason):
        pass

    def lost(self, job_name, runs):
        self.losses.append((job_name, runs))


class Stage:
    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory
        self.counts, self.own, self.clock = Counts(), [], 0.0
        self.reaper = Reaper(engine, directory, lambda: self.own, self.counts, lambda: self.clock)

    def leave(self, *runs):
        spool = Spool(self.directory)
        for run in runs:
            spool.append(run)
        spool.abandon()

    def rows(self):
        return {int(row.run_id, 16): row for row in JobRunRepository(self.engine).page()}

    def silence(self):
        with transaction(self.engine) as session:
            session.execute(update(JobRunRow).values(heartbeat_at=LONG_AGO))


@pytest.fixture
def stage(engine, tmp_path):
    return Stage(engine, tmp_path / "spool")


def test_runs_that_were_lost_are_counted_and_said_once_a_job_with_whose_they_were(stage, caplog):
    stage.leave(begun(1), begun(2, worker="host:2"), begun(3, job_name="clean"))

    stage.reaper.look()
    stage.reaper.look()

    assert sorted(stage.counts.losses) == [("clean", 1), ("sync", 2)]
    assert sorted((record.levelname, record.getMessage()) for record in caplog.records) == [
        ("ERROR", "2 runs of sync lost: host:1, host:2 ended without a word."),
        ("ERROR", "A run of clean lost: host:1 ended without a word."),
    ]
    assert {record.component for record in caplog.records} == {"jobs"}


def test_the_runs_of_this_process_beat_every_few_seconds(stage):
    JobRunRepository(stage.engine).write([begun(1)])
    stage.own = [run_id(1)]
    heard = []
    for clock in (0, BEAT / 2, BEAT):
        stage.silence()
        stage.clock = clock
        stage.reaper.look()
        heard.append(stage.rows()[1].heartbeat_at > LONG_AGO)

    assert heard == [True, False, True]


def test_the_runs_of_this_process_beat_while_it_brings_what_others_left(stage, monkeypatch):
    JobRunRepository(stage.engine).write([begun(0)])
    stage.own = [run_id(0)]
    stage.leave(*[ended(number) for number in range(1, 250)])
    beats, beat = [], stage.reaper._alive.beat

    def counting(run_ids):
        stage.clock += BEAT
        beats.append(run_ids)
        beat(run_ids)

    monkeypatch.setattr(stage.reaper._alive, "beat", counting)

    stage.reaper.look()

    assert len(beats) == 1 + 3


def test_before_the_table_is_made_there_is_nothing_to_look_after(tmp_path, caplog):
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    stage = Stage(engine, tmp_path / "spool")
    stage.leave(begun(1))

    stage.reaper.look()

    assert caplog.messages == []
    assert len(list(stage.directory.iterdir())) == 2
    engine.dispose()


def test_a_process_has_one_that_looks_however_often_it_is_started_and_a_child_has_its_own(stage, monkeypatch):
    stage.reaper.start()
    first = stage.reaper._rounds
    stage.reaper.start()
    assert stage.reaper._rounds is first

    monkeypatch.setattr(os, "getpid", lambda: -1)
    stage.reaper.start()
    child = stage.reaper._rounds
    assert child is not first

    for each in (first, child):
        each.stop(30)
        assert not each._thread.is_alive()


def test_what_was_never_started_is_stopped_all_the_same(stage):
    stage.reaper.stop()
