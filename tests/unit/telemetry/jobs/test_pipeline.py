"""The whole job pipeline of a process, on real databases."""

import time

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.database import create_engine, dedicated_engine
from telemetry.instruments import Instruments
from telemetry.jobs.pipeline import SPOOL_DIRECTORY, JobPipeline
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.processes.registry import ProcessRegistry
from tests.support.job_runs import ended, run_id, started
from tests.support.spools import leave_spool

SOON = 30.0


class Stage:
    def __init__(self, engine, data_dir):
        self.reader = InMemoryMetricReader()
        self.meter = MeterProvider([self.reader], shutdown_on_exit=False).get_meter("tests")
        self.engine, self.data_dir = engine, data_dir
        self.registry = ProcessRegistry(data_dir)
        self.pipeline = JobPipeline(engine, self.registry, Instruments.create(self.meter))
        self.pipeline.observe(self.meter)

    def end(self):
        self.pipeline.shutdown(SOON)
        self.registry.release()

    def points(self, metric):
        data = self.reader.get_metrics_data()
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == metric]
        return {tuple(point.attributes.values()): point.value for m in found for point in m.data.data_points}

    def outcomes(self):
        return {int(row.run_id, 16): row.outcome for row in JobRunRepository(self.engine).page()}

    def wait_until(self, condition):
        deadline = time.monotonic() + SOON
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def stage(engine, tmp_path):
    stage = Stage(engine, tmp_path)
    yield stage
    stage.end()


def test_of_each_record_it_is_known_what_became_of_it(stage):
    leave_spool(stage.data_dir / SPOOL_DIRECTORY, started(10), ended(10), started(11))

    for run in (started(1), ended(1), started(2)):
        stage.pipeline.record(run)
    assert stage.pipeline.recorder.flush(SOON)
    stage.wait_until(lambda: stage.outcomes() == {1: "success", 2: None, 10: "success", 11: "lost"})

    stage.wait_until(lambda: ("sync",) in stage.points("job.runs.lost"))
    assert stage.points("telemetry.job.records") == {
        ("received",): 3,
        ("written",): 3,
        ("dropped",): 0,
        ("replayed",): 3,
    }
    assert stage.points("job.runs.lost") == {("sync",): 1}
    assert stage.points("job.runs") == {("sync", "failed"): 1}
    assert stage.points("telemetry.queue.oldest_age") == {("job_runs",): 0}
    assert stage.points("telemetry.spool.size")[("job_runs",)] > 0


def test_jobs_that_hold_every_connection_keep_no_record_waiting(stage):
    connections = [stage.engine.connect() for _ in range(15)]

    stage.pipeline.record(ended(1))

    assert stage.pipeline.recorder.flush(SOON)
    for connection in connections:
        connection.close()
    assert stage.outcomes() == {1: "success"}


def test_a_database_in_memory_has_one_connection_for_all(tmp_path):
    engine = create_engine("sqlite://")

    assert dedicated_engine(engine) is engine
    engine.dispose()


def test_a_run_that_is_open_at_the_end_of_its_process_is_lost_with_the_next_start(engine, tmp_path):
    first = Stage(engine, tmp_path)
    first.pipeline.record(started(1))
    first.end()
    assert first.outcomes() == {1: None}

    second = Stage(engine, tmp_path)
    second.pipeline.reaper.start()
    second.wait_until(lambda: second.outcomes() == {1: "lost"})
    second.pipeline.shutdown(SOON)


def test_the_ids_of_open_runs_are_what_beats(stage):
    stage.pipeline.record(started(1))

    assert stage.pipeline.recorder.open_runs() == [run_id(1)]


def test_the_last_success_that_is_shown_after_a_start_is_no_run_that_could_only_wait(stage):
    success, failure = ended(1), ended(2, "error")
    JobRunRepository(stage.engine).write([success, failure, ended(3, "skipped")])

    stage.pipeline.restore_last_runs(["sync", "other"])

    assert stage.points("job.last_success") == {("sync",): success.finished_at.timestamp()}
    assert stage.points("job.last_failure") == {("sync",): failure.finished_at.timestamp()}


def test_the_series_of_a_job_are_there_before_its_first_run(stage):
    stage.pipeline.declare(["sync"])

    assert stage.points("job.runs.skipped") == {("sync",): 0}
