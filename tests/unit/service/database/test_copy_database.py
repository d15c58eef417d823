"""Copying: every row of one database in another, or nothing of it."""

import fcntl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from service.database.copy_database import CopyFailed, copy_database
from service.database.in_use import DatabaseInUse, DatabaseLocation
from service.database.tables import Base
from telemetry.database import create_engine
from telemetry.jobs.store.tables import JobRunRow

NOW = datetime(2025, 10, 2, 3, 10, 0, 123456, tzinfo=UTC)
RUNS = JobRunRow.__table__
NEW = {
    "job_name": "sync",
    "status": "running",
    "run_id": "new",
    "trace_id": "a",
    "span_id": "b",
    "worker": "w",
    "metadata": {},
}


@pytest.fixture
def source(sqlite_engine):
    run = {
        "job_name": "sync",
        "status": "success",
        "outcome": "success",
        "metadata": {"note": "äöü 🚀", "rows": 3},
        "worker": "w",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
    }
    with sqlite_engine.begin() as connection:
        connection.execute(
            insert(RUNS),
            [{**run, "run_id": f"{n:016x}", "started_at": NOW + timedelta(seconds=n)} for n in range(4500)],
        )
    return sqlite_engine


def rows(engine):
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)))) for table in Base.metadata.sorted_tables
        }


def test_every_row_is_in_the_other_database_as_it_was_and_the_next_one_comes_behind_them(
    source, postgres_engine, tmp_path
):
    said = []

    copied = copy_database(DatabaseLocation(source.url, tmp_path), postgres_engine.url, said.append)

    assert rows(postgres_engine) == rows(source)
    assert copied == 4500
    assert "job_runs: 4,500 rows" in said
    with postgres_engine.begin() as connection:
        new = connection.execute(insert(RUNS).values({**NEW, "started_at": NOW}).returning(RUNS.c.id)).scalar()
    assert new == 4501


def test_it_goes_back_the_same_way(source, postgres_engine, tmp_path):
    copy_database(DatabaseLocation(source.url, tmp_path), postgres_engine.url, lambda _line: None)
    back = create_engine(f"sqlite:///{tmp_path}/back.db")

    copy_database(DatabaseLocation(postgres_engine.url, tmp_path), back.url, lambda _line: None)

    assert rows(back) == rows(source)
    back.dispose()


def test_a_target_that_has_rows_is_left_as_it_is(source, postgres_engine, tmp_path):
    copy_database(DatabaseLocation(source.url, tmp_path), postgres_engine.url, lambda _line: None)
    before = rows(postgres_engine)

    with pytest.raises(CopyFailed, match="has rows already, in job_runs: it must be empty"):
        copy_database(DatabaseLocation(source.url, tmp_path), postgres_engine.url, lambda _line: None)

    assert rows(postgres_engine) == before


def test_a_database_is_not_copied_into_itself(source, tmp_path):
    with pytest.raises(CopyFailed, match="the same"):
        copy_database(DatabaseLocation(source.url, tmp_path), source.url, lambda _line: None)


def test_nothing_is_copied_while_the_service_runs(source, postgres_engine, tmp_path: Path):
    (tmp_path / "instances").mkdir()
    with (tmp_path / "instances" / "0.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DatabaseInUse, match="stop it on every machine first"):
            copy_database(DatabaseLocation(source.url, tmp_path), postgres_engine.url, lambda _line: None)
