import logging
import socket
import threading

import pytest
from sqlalchemy import event

from service.database import migrations
from service.database.startup import MigrateOnStart
from telemetry.database import create_engine

RETRY_SECONDS = 0.01


class Steps:
    """The step after the migrations: raises the given errors, then succeeds."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.done = threading.Event()

    def __call__(self):
        if self.failures:
            raise self.failures.pop(0)
        self.done.set()


class Attempts:
    """Counts the attempts to connect."""

    def __init__(self, engine):
        self.number = 0
        self._more = threading.Condition()
        event.listen(engine, "do_connect", self._count)

    def _count(self, *_about):
        with self._more:
            self.number += 1
            self._more.notify_all()

    def reach(self, number):
        with self._more:
            return self._more.wait_for(lambda: self.number >= number, 30)


@pytest.fixture
def started():
    running = []

    def start(engine, on_migrated, retry_seconds=RETRY_SECONDS):
        startup = MigrateOnStart(engine, on_migrated, retry_seconds)
        running.append(startup)
        startup.start()
        return startup

    yield start
    for startup in running:
        startup.stop()
        startup._thread.join(10)
        assert not startup._thread.is_alive()


@pytest.fixture
def closed_port():
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def warnings(caplog):
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_empty_database_is_migrated_before_what_comes_then(database_url, started):
    engine = create_engine(database_url)
    then = Steps()

    started(engine, then)

    assert then.done.wait(30)
    migrations.at_head(engine)
    engine.dispose()


def test_a_database_that_comes_back_is_migrated_and_its_absence_was_said_once(tmp_path, started, caplog):
    engine, then = create_engine(f"sqlite:///{tmp_path}/sovani.db"), Steps()
    attempts = Attempts(engine)
    (tmp_path / "sovani.db").mkdir()  # a directory cannot be opened

    started(engine, then)
    assert attempts.reach(5)
    assert not then.done.is_set()
    (tmp_path / "sovani.db").rmdir()

    assert then.done.wait(30)
    assert warnings(caplog) == [
        "The database is not ready (the database file cannot be opened); trying again every 0 s."
    ]
    engine.dispose()


def test_the_warning_of_a_database_that_is_away_names_no_host_and_no_password(closed_port, started, caplog):
    engine = create_engine(f"postgresql+psycopg://seller:hunter2@127.0.0.1:{closed_port}/sovani")
    attempts = Attempts(engine)

    started(engine, Steps())
    assert attempts.reach(3)

    assert warnings(caplog) == ["The database is not ready (Connection refused); trying again every 0 s."]
    assert "hunter2" not in caplog.text


def test_another_reason_is_said_as_well(sqlite_engine, started, caplog):
    then = Steps(ConnectionResetError(104, "reset"), ConnectionResetError(104, "reset"), TimeoutError())

    started(sqlite_engine, then)

    assert then.done.wait(30)
    assert warnings(caplog) == [
        "The database is not ready (Connection reset by peer); trying again every 0 s.",
        "The database is not ready (no response in time); trying again every 0 s.",
    ]


def test_what_comes_then_is_tried_again_when_the_database_goes_away_in_between(sqlite_engine, started):
    then = Steps(ConnectionResetError(104, "reset"))

    started(sqlite_engine, then)

    assert then.done.wait(30)


def test_a_stop_ends_the_retries_at_once(closed_port):
    engine = create_engine(f"postgresql+psycopg://127.0.0.1:{closed_port}/sovani")
    attempts, startup = Attempts(engine), MigrateOnStart(engine, Steps(), retry_seconds=600)
    startup.start()
    assert attempts.reach(1)

    startup.stop()

    startup._thread.join(10)
    assert not startup._thread.is_alive()


def test_a_stop_before_the_start_leaves_the_database_alone(tmp_path):
    engine, then = create_engine(f"sqlite:///{tmp_path}/sovani.db"), Steps()
    startup = MigrateOnStart(engine, then)

    startup.stop()
    startup.start()
    startup._thread.join(10)

    assert not then.done.is_set()
    assert not (tmp_path / "sovani.db").exists()
