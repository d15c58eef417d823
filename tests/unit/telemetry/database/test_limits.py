"""Limits of engines, on both databases."""

from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004

from telemetry.database import EngineLimits, dedicated_engine, limits
from telemetry.error_text import safe_text

ENDLESS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
}
LONG = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT max(n) FROM c"
"""More instructions than SQLite executes between two looks at the clock."""
LOCK = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE schedule_claims"}
TOO_LONG, LOCKED = "the query took too long", "another transaction holds a lock for too long"
SHORT = EngineLimits(pool_size=1, max_overflow=0, pool_timeout=0.1, statement_timeout=0.2, lock_timeout=0.2)


@pytest.fixture
def limited(engine):
    return dedicated_engine(engine, SHORT)


def error_of(engine, statement: str) -> str:
    """What the statement ends with; empty if it succeeds."""
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement).close()
    except (OperationalError, TimeoutError) as error:
        return safe_text(error)
    return ""


@contextmanager
def locked(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql(LOCK[engine.dialect.name])
        yield
        connection.rollback()


def test_a_statement_that_takes_too_long_is_ended_and_its_connection_is_usable_afterwards(limited):
    assert error_of(limited, ENDLESS[limited.dialect.name]) == TOO_LONG
    assert error_of(limited, "SELECT count(*) FROM schedule_claims") == ""


def test_the_time_is_that_of_each_statement_and_not_of_the_connection(sqlite_engine, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(limits, "_monotonic", lambda: now[0])
    limited = dedicated_engine(sqlite_engine, EngineLimits(statement_timeout=10))

    with limited.begin() as connection:
        for _ in range(2):
            now[0] += 100
            connection.exec_driver_sql(LONG).close()


def test_a_lock_is_not_waited_for_longer_than_that(engine):
    limited = dedicated_engine(engine, EngineLimits(statement_timeout=60, lock_timeout=0.2))
    delete = "DELETE FROM schedule_claims"
    with locked(engine):
        assert error_of(limited, delete) in {LOCKED, "the database is locked"}
    assert error_of(limited, delete) == ""


def test_a_connection_is_not_waited_for_longer_than_that(limited):
    with limited.connect():
        assert error_of(limited, "SELECT 1") == "all connections to the database are in use"
    assert error_of(limited, "SELECT 1") == ""


def test_the_engine_beside_it_has_no_such_limits(postgres_engine):
    limited = dedicated_engine(postgres_engine, SHORT)

    def seen(engine):
        with engine.begin() as connection:
            return [connection.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout")]

    assert (seen(limited), seen(postgres_engine)) == (["200ms", "200ms"], ["0", "0"])


def test_a_session_has_no_limit_after_its_transaction_since_a_pooler_gives_it_to_others(postgres_engine):
    limited = dedicated_engine(postgres_engine, SHORT)
    error_of(limited, "SELECT 1")

    with limited.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "0"


def test_an_engine_is_disposed_of_with_the_one_that_it_is_beside(engine, limited):
    error_of(limited, "SELECT 1")
    before = limited.pool

    engine.dispose()

    assert limited.pool is not before
    assert before.checkedin() == 0


def test_a_read_only_database_is_an_operational_error_there_too(postgres_engine):
    limited = dedicated_engine(postgres_engine, SHORT)
    error_of(limited, "SET default_transaction_read_only = on")

    assert error_of(limited, "DELETE FROM schedule_claims") == "the database is read-only"
    assert error_of(limited, "DELETE FROM schedule_claims") == ""  # by another connection
