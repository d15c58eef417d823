"""A fork inside a run: the run belongs to the process that began it, and the child records its own ones."""

import os
import sys
import threading
from contextlib import suppress

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from telemetry import semconv
from telemetry.database import transaction
from telemetry.instruments import Instruments
from telemetry.jobs import monitor, monitor_job
from telemetry.jobs.monitor import JobMonitoring
from telemetry.jobs.pipeline import JobPipeline
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.processes.registry import ProcessRegistry
from tests.support.forking import in_child
from tests.support.job_spans import processor_into

SOON = 30.0
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.long_on_postgresql,
]


class Stage:
    def __init__(self, engine, data_dir):
        self.engine, self.exporter = engine, InMemorySpanExporter()
        self.registry = ProcessRegistry(data_dir)
        instruments = Instruments.create(MeterProvider(shutdown_on_exit=False).get_meter("tests"))
        self.pipeline = JobPipeline(engine, self.registry, instruments)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor_into(self.pipeline.record, instruments=instruments))
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("tests")
        monitor.activate(JobMonitoring(self.tracer, self.pipeline.recorder))

    def end(self):
        monitor.deactivate()
        self.pipeline.shutdown(SOON)
        self.registry.release()

    def rows(self):
        return {
            row.job_name: (row.outcome, row.error_message) for row in JobRunRepository(self.engine).page(limit=1000)
        }


@pytest.fixture
def stage(engine, tmp_path):
    stage = Stage(engine, tmp_path)
    yield stage
    stage.end()


class Child:
    """A child that goes on with the body of its parent. It waits until its parent lets it go, and leaves its records behind."""

    def __init__(self, stage):
        self.stage, self.gate = stage, os.pipe()
        self.pid = None

    def fork(self):
        self.pid = os.fork()
        return self.pid == 0

    def wait_for_parent(self):
        os.close(self.gate[1])
        os.read(self.gate[0], 1)

    def leave(self):
        with suppress(BaseException):
            self.stage.pipeline.shutdown(SOON)
        os._exit(0)

    def join(self):
        for end in reversed(self.gate):
            os.close(end)
        guard = threading.Timer(60, os.kill, (self.pid, 9))
        guard.start()
        os.waitpid(self.pid, 0)
        guard.cancel()


WAYS_OUT = {
    "sys.exit(0)": lambda: sys.exit(0),
    "sys.exit(1)": lambda: sys.exit(1),
    "an exception": lambda: 1 / 0,
    "nothing": lambda: None,
    "an interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt),
}


def work_and_fork(child, way_out, who_is_last):
    with monitor_job("sync"):
        if child.fork():
            if who_is_last == "child":
                child.wait_for_parent()
            way_out()
        elif who_is_last == "parent":
            child.join()


@pytest.mark.parametrize("way_out", WAYS_OUT)
@pytest.mark.parametrize("who_is_last", ["child", "parent"])
def test_the_end_of_a_child_is_not_the_end_of_its_parents_run(stage, way_out, who_is_last):
    child = Child(stage)

    try:
        work_and_fork(child, WAYS_OUT[way_out], who_is_last)
    finally:
        if child.pid == 0:  # pragma: no cover  # another process
            child.leave()
    if who_is_last == "child":
        child.join()

    assert stage.pipeline.recorder.flush(SOON)
    assert stage.rows() == {"sync": ("success", None)}


def test_a_span_with_the_name_of_a_job_belongs_to_its_process_as_well(stage):
    span = stage.tracer.start_span("job", attributes={semconv.JOB_NAME: "sync"})

    def child():
        span.end()
        return stage.pipeline.shutdown(SOON)

    assert in_child(child) is True
    assert stage.pipeline.recorder.flush(SOON)
    assert stage.rows() == {"sync": (None, None)}


def test_a_child_exports_no_span_of_its_parents_run(stage):
    job = monitor_job("sync")
    job.__enter__()

    def child():
        job.__exit__(None, None, None)
        return [span.name for span in stage.exporter.get_finished_spans()]

    assert in_child(child) == []
    job.__exit__(None, None, None)
    assert [span.name for span in stage.exporter.get_finished_spans()] == ["job sync"]


def test_children_record_their_own_runs_beside_that_of_their_parent(stage):
    def child(number):
        with monitor_job(f"child {number}"):
            pass
        return stage.pipeline.shutdown(SOON)

    with monitor_job("sync"):
        answers = [in_child(lambda: child(number)) for number in range(5)]  # noqa: B023  # called at once

    assert answers == [True] * 5
    assert stage.rows() == {"sync": ("success", None), **{f"child {n}": ("success", None) for n in range(5)}}


def test_a_child_uses_no_connection_of_its_parent(stage):
    question = {"postgresql": "SELECT pg_backend_pid()", "sqlite": "SELECT 1"}[stage.engine.dialect.name]

    def answer():
        with transaction(stage.engine) as session:
            connection = session.connection().connection.driver_connection
            return [id(connection), session.execute(text(question)).scalar_one()]

    of_parent, of_child = answer(), in_child(answer)

    assert of_child != of_parent
    assert answer()[1] == of_parent[1]


def test_a_fork_does_not_happen_inside_a_transaction_of_another_thread(stage):
    """SQLite would take the lock of that thread for one of the child's, and PostgreSQL's connection would have two users."""
    inside, go_on, left = threading.Event(), threading.Event(), []

    def write():
        with transaction(stage.engine):
            inside.set()
            go_on.wait(0.02)
        left.append(True)

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(SOON)

    assert in_child(lambda: list(left)) == [True]
    thread.join(SOON)


def test_a_transaction_that_hangs_does_not_hang_a_fork(stage):
    inside, go_on = threading.Event(), threading.Event()

    def hang():
        with transaction(stage.engine):
            inside.set()
            go_on.wait(SOON)

    thread = threading.Thread(target=hang)
    thread.start()
    assert inside.wait(SOON)

    with transaction(stage.engine):
        assert in_child(lambda: "done") == "done"
    go_on.set()
    thread.join(SOON)
