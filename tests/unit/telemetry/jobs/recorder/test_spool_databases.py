"""Two services in one data directory: the runs of each go into its own database."""

import logging

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from telemetry.database import create_engine, database_identity
from telemetry.instruments import Instruments
from telemetry.jobs.pipeline import SPOOL_DIRECTORY, JobPipeline
from telemetry.jobs.recorder.spool_databases import SpoolDatabases
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import create_tables
from telemetry.processes.registry import ProcessRegistry
from tests.support.job_runs import ended, started
from tests.support.spools import ProcessSpool, leave_spool

SOON = 30.0


@pytest.fixture
def directory(tmp_path):
    return tmp_path / SPOOL_DIRECTORY


@pytest.fixture
def other_engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def pipeline_of(tmp_path):
    made = []

    def make(engine):
        instruments = Instruments.create(MeterProvider(shutdown_on_exit=False).get_meter("tests"))
        made.append((JobPipeline(engine, registry := ProcessRegistry(tmp_path), instruments), registry))
        return made[-1][0]

    yield make
    for pipeline, registry in made:
        pipeline.shutdown(SOON)
        registry.release()


def rows(engine):
    return {int(row.run_id, 16): row.outcome for row in JobRunRepository(engine).page()}


def kill(pipeline, data_dir, *runs):
    """Leave the runs as a process does that is killed before it wrote them."""
    database = database_identity(pipeline._caller_engine.url)
    leave_spool(data_dir / SPOOL_DIRECTORY, *runs, database=database)


def test_the_runs_of_each_service_go_into_its_own_database(engine, other_engine, pipeline_of, tmp_path):
    ours, theirs = pipeline_of(engine), pipeline_of(other_engine)
    kill(ours, tmp_path, started(1), ended(1), started(2))
    kill(theirs, tmp_path, started(3), ended(3), started(4))

    ours.reaper.run_once()
    assert rows(engine) == {1: "success", 2: "lost"}
    assert rows(other_engine) == {}

    theirs.reaper.run_once()
    assert rows(engine) == {1: "success", 2: "lost"}
    assert rows(other_engine) == {3: "success", 4: "lost"}
    assert list((tmp_path / SPOOL_DIRECTORY).iterdir()) == []


def test_what_the_recorder_itself_leaves_names_its_database(engine, other_engine, pipeline_of):
    ours, theirs = pipeline_of(engine), pipeline_of(other_engine)
    theirs.recorder.record(started(1))
    assert theirs.recorder.flush(SOON)

    assert ours.reaper.recovery.databases.foreign() == {database_identity(other_engine.url): 1}
    assert theirs.reaper.recovery.databases.foreign() == {}


def test_the_other_database_is_said_once_without_a_password(engine, other_engine, pipeline_of, tmp_path, caplog):
    ours = pipeline_of(engine)
    for number in (1, 2):
        kill(pipeline_of(other_engine), tmp_path, started(number))

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ours.reaper.run_once()

    (record,) = [record for record in caplog.records if record.name.endswith("spool_databases")]
    assert f"also has job runs for another database, {tmp_path}/other.db, and not for " in record.getMessage()
    assert ours.foreign_databases() == [record.getMessage()]


def test_a_spool_of_an_earlier_version_names_no_database_and_is_recovered(engine, pipeline_of, directory):
    leave_spool(directory, started(1), ended(1))

    pipeline_of(engine).reaper.run_once()

    assert rows(engine) == {1: "success"}


def test_the_database_is_in_each_file_of_a_spool(directory):
    spool = ProcessSpool(directory, segment=1, database="theirs")
    for number in range(3):
        spool.append(ended(number))
    spool.abandon()
    assert len(list(directory.iterdir())) == 3

    for path in sorted(directory.iterdir())[:-1]:
        path.unlink()

    assert SpoolDatabases(directory, "ours").foreign() == {"theirs": 1}


def test_a_first_line_that_is_damaged_is_replaced_by_that_of_the_next_file(directory):
    spool = ProcessSpool(directory, segment=1, database="theirs")
    for number in range(3):
        spool.append(ended(number))
    spool.abandon()
    assert len(list(directory.iterdir())) == 3
    first = min(directory.iterdir())
    first.write_bytes(b"damaged" + first.read_bytes())

    assert SpoolDatabases(directory, "ours").is_foreign(first.name.partition(".")[0])


def test_without_a_database_of_its_own_a_process_takes_every_spool(directory):
    leave_spool(directory, started(1), database="theirs")

    assert SpoolDatabases(directory, "").foreign() == {}
