import errno
import socket
import sqlite3
from pathlib import Path

import httpx
import psycopg
import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from telemetry.database import create_engine
from telemetry.error_text import CheckFailed, register_sentence, safe_text

NO_TABLE = r"no such table|relation .* does not exist"


@pytest.fixture(autouse=True)
def _no_sentence_of_an_application(monkeypatch):
    monkeypatch.setattr("telemetry.error_text._registered", {})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def raised_by(call) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def connect_to(url: str) -> BaseException:
    engine = create_engine(url)
    try:
        return raised_by(engine.connect)
    finally:
        engine.dispose()


def test_a_failed_check_has_its_own_sentence():
    error = CheckFailed("migrations are missing: run `migrate`")
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    assert safe_text(error) == "migrations are missing: run `migrate`"


def test_a_refused_database_is_described_without_its_host_port_user_and_password():
    port = free_port()

    error = connect_to(f"postgresql+psycopg://anna:very-secret@127.0.0.1:{port}/shop")

    assert str(port) in str(error)
    assert safe_text(error) == "Connection refused"


def test_a_locked_database_is_described(tmp_path):
    path = tmp_path / "shop.db"
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("BEGIN EXCLUSIVE")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    try:
        with engine.connect() as other:
            error = raised_by(lambda: other.execute(text("CREATE TABLE job_runs (id)")))
    finally:
        engine.dispose()
        owner.close()

    assert safe_text(error) == "the database is locked"


def test_a_database_file_that_cannot_be_opened_is_described_without_its_path():
    engine = sqlalchemy.create_engine("sqlite:////proc/nobody/shop.db")

    assert safe_text(raised_by(engine.connect)) == "the database file cannot be opened"


def missing_table() -> BaseException:
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            return raised_by(lambda: connection.execute(text("SELECT 'is starting up' FROM job_runs")))
    finally:
        engine.dispose()


def test_a_missing_table_is_described():
    assert safe_text(missing_table()) == "a table is missing: the database's migrations have not been applied"


def test_a_sentence_of_the_application_precedes_the_built_in_ones():
    register_sentence(NO_TABLE, "run `setup`")
    register_sentence(NO_TABLE, "run `migrate`")

    assert safe_text(missing_table()) == "run `migrate`"


def test_the_words_of_the_statement_are_not_taken_for_the_errors():
    error = OperationalError("SELECT 'database is locked'", {}, sqlite3.OperationalError("interrupted"))

    assert safe_text(error) == "OperationalError"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "full", "/srv/data"), "No space left on device"),
        (OSError(errno.EROFS, "read-only", "/srv/data"), "Read-only file system"),
        (PermissionError(errno.EACCES, "denied", "/srv/data"), "Permission denied"),
        (socket.gaierror(-2, "Name or service not known"), "the host name is not known"),
        (socket.gaierror(-3, "Temporary failure for db.example"), "the host name is not known"),
        (TimeoutError(), "no response in time"),
        (PoolTimeoutError("QueuePool limit of size 5 reached"), "all connections to the database are in use"),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), "no response in time"),
        (
            psycopg.OperationalError('password authentication failed for user "anna"'),
            "the database refuses the user or password",
        ),
        (psycopg.OperationalError('FATAL: database "shop" does not exist'), "there is no such database"),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), "the database has no connection left"),
        (psycopg.OperationalError("FATAL: the database system is starting up"), "the database is starting"),
        (
            psycopg.OperationalError("terminating connection due to administrator command"),
            "the database is shutting down",
        ),
        (psycopg.OperationalError("server closed the connection unexpectedly"), "the connection was lost"),
        (psycopg.OperationalError("failed to resolve host 'db.example': unknown"), "the host name is not known"),
        (psycopg.errors.QueryCanceled("canceling statement due to statement timeout"), "the query took too long"),
        (sqlite3.OperationalError("interrupted"), "the query took too long"),
        (
            psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"),
            "another transaction holds a lock for too long",
        ),
        (psycopg.errors.QueryCanceled("canceling statement due to user request"), "the query was cancelled"),
        (psycopg.errors.DeadlockDetected("deadlock detected"), "two transactions waited for each other"),
        (ValueError("postgresql://anna:very-secret@db.example/shop is wrong"), "ValueError"),
        (KeyError("/srv/data"), "KeyError"),
        (OSError("/srv/data"), "OSError"),
    ],
)
def test_an_error_is_described_in_a_closed_set_of_sentences(error, sentence):
    assert safe_text(error) == sentence


def test_an_unknown_error_is_described_by_its_cause():
    port = free_port()

    error = raised_by(lambda: httpx.get(f"http://127.0.0.1:{port}/", trust_env=False))

    assert safe_text(error) == "Connection refused"


def test_an_error_that_is_its_own_cause_is_described_too():
    error = RuntimeError(str(Path("/srv/data")))
    error.__cause__ = error

    assert safe_text(error) == "RuntimeError"
