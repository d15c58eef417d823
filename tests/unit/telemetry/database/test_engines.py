import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, func, make_url, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from service.database import migrations
from service.database.schedule_tables import ScheduleClaimRow
from telemetry.database import (
    EngineLimits,
    UTCDateTime,
    create_engine,
    database_identity,
    dedicated_engine,
    transaction,
)
from telemetry.database.engines import _configure
from telemetry.settings import SettingsError

REPEATS = 10
"""More often than psycopg wants to see a statement before it prepares it."""
NOON = datetime(2025, 10, 2, 12, 0, 0, 123456, UTC)
MOSCOW = timezone(timedelta(hours=3))
POSTGRESQL = "postgresql+psycopg://anna:secret@127.0.0.1/shop"


class Refusing:
    """A SQLite connection that fails so many times when WAL is enabled."""

    def __init__(self, times: int, code: int = sqlite3.SQLITE_BUSY):
        self.times, self.code, self.executed = times, code, []
        self.is_closed = False

    def close(self):
        self.is_closed = True

    def execute(self, statement: str):
        if "journal_mode" in statement and self.times:
            self.times -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error
        self.executed.append(statement)


def arguments(url: str, **how):
    """The driver's arguments for a connection."""
    given = {}

    def refuse(_dialect, _record, _positional, named):
        given.update(named)
        raise ConnectionRefusedError

    engine = create_engine(url, **how)
    event.listen(engine, "do_connect", refuse)
    with pytest.raises(ConnectionRefusedError):
        engine.connect()
    return given


def pragma(engine, name: str):
    with engine.connect() as connection:
        return connection.scalar(text(f"PRAGMA {name}"))


def rows_seen_by_another_process(file) -> list[str]:
    """The rows of `t`, read by another process, which then closes the file."""
    look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*(row[0] for row in c.execute('SELECT a FROM t'))); c.close()"
    return subprocess.check_output([sys.executable, "-c", look, file], text=True, timeout=60).split()


def claim(job_name: str, timestamp=NOON) -> ScheduleClaimRow:
    return ScheduleClaimRow(job_name=job_name, last_tick=timestamp)


def test_sqlite_has_a_log_in_front_of_it_and_checks_foreign_keys_and_waits_for_locks(sqlite_engine):
    found = {
        name: pragma(sqlite_engine, name) for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
    }

    assert found == {"journal_mode": "wal", "busy_timeout": 5000, "foreign_keys": 1, "synchronous": 1}


def test_another_process_that_opens_and_closes_the_file_removes_no_log(tmp_path):
    """It is not the last connection, so it must not remove the log, with which later writes would be lost."""
    file = tmp_path / "shop.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as first:
        first.execute(text("CREATE TABLE t (a TEXT)"))
        first.execute(text("INSERT INTO t VALUES ('before')"))
        first.commit()
        with engine.connect():
            assert rows_seen_by_another_process(file) == ["before"]

            first.execute(text("INSERT INTO t VALUES ('after')"))
            first.commit()

            assert rows_seen_by_another_process(file) == ["before", "after"]
    engine.dispose()


def test_enabling_wal_is_retried_while_others_do_the_same():
    connection = Refusing(times=2)

    _configure(connection, None)

    assert connection.executed[-1] == "PRAGMA journal_mode=WAL"


def test_a_file_that_does_not_support_wal_is_an_error_and_its_connection_is_closed():
    connection = Refusing(times=2, code=sqlite3.SQLITE_CANTOPEN)

    with pytest.raises(sqlite3.OperationalError):
        _configure(connection, None)

    assert connection.is_closed


def test_the_directory_of_a_sqlite_file_is_made_when_it_is_first_needed(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/deep/down/shop.db")
    assert not (tmp_path / "deep").exists()

    migrations.ping(engine)

    assert (tmp_path / "deep/down/shop.db").exists()
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:shop?mode=memory&uri=true"])
def test_a_database_in_memory_is_one_for_all_threads_and_leaves_no_file(url, tmp_path):
    engine = create_engine(url)
    migrations.migrate(engine)

    def write(number: int) -> None:
        with transaction(engine) as session:
            session.add(claim(str(number)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(50)))

    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(ScheduleClaimRow)) == 50
    assert list(tmp_path.iterdir()) == []
    engine.dispose()


def test_many_threads_write_at_once_without_an_error(engine):
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait(10)
        for step in range(5):
            with transaction(engine) as session:
                session.add(claim(f"{number}-{step}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))

    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(ScheduleClaimRow)) == 40


def test_a_postgresql_server_that_vanishes_is_noticed():
    given = arguments(POSTGRESQL, application_name="sovani")

    assert given["connect_timeout"] == 5
    assert given["keepalives_idle"] + given["keepalives_interval"] * given["keepalives_count"] == 25
    assert given["tcp_user_timeout"] == 25_000
    assert given["application_name"] == "sovani"


def test_connection_parameters_of_the_url_take_precedence():
    given = arguments(f"{POSTGRESQL}?connect_timeout=2&application_name=night-shift")

    assert (given["connect_timeout"], given["application_name"]) == ("2", "night-shift")


def test_postgresql_takes_the_settings_and_knows_whose_connection_it_is(postgres_engine):
    engine = create_engine(postgres_engine.url, "sovani")

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_setting('application_name')")) == "sovani"
    engine.dispose()


def test_a_connection_that_the_server_dropped_is_replaced(postgres_engine):
    with postgres_engine.connect() as connection:
        mine = connection.scalar(text("SELECT pg_backend_pid()"))
    other = create_engine(postgres_engine.url)
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
    other.dispose()

    migrations.ping(postgres_engine)


def test_a_ping_of_something_that_accepts_and_never_answers_ends_with_the_time_for_connecting():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = create_engine(f"postgresql+psycopg://anna:secret@127.0.0.1:{port}/shop?connect_timeout=2")
        began = time.monotonic()

        with pytest.raises(OperationalError):
            migrations.ping(engine)

        assert time.monotonic() - began < 5


def test_a_transaction_is_committed_at_its_end(engine):
    with transaction(engine) as session:
        session.add(claim("sync"))

    with transaction(engine) as session:
        assert session.get(ScheduleClaimRow, "sync").last_tick == NOON


def test_a_transaction_in_which_something_is_raised_changes_nothing(engine):
    def use_case() -> None:
        with transaction(engine) as session:
            session.add(claim("sync"))
            session.flush()
            session.execute(text("INSERT INTO schedule_claims (job_name) VALUES ('backup')"))

    with pytest.raises(IntegrityError):
        use_case()

    with transaction(engine) as session:
        assert session.scalars(select(ScheduleClaimRow)).all() == []


def test_rows_are_readable_after_their_transaction(engine):
    with transaction(engine) as session:
        row = claim("sync")
        session.add(row)

    assert row.job_name == "sync"


@pytest.mark.parametrize(
    "timestamp",
    [NOON, NOON.astimezone(MOSCOW), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)],
)
def test_a_timestamp_is_read_back_in_utc(engine, timestamp):
    with transaction(engine) as session:
        session.add(claim("sync", timestamp))

    with transaction(engine) as session:
        found = session.get(ScheduleClaimRow, "sync").last_tick

    assert found == timestamp
    assert found.tzinfo is UTC


def test_timestamps_compare_correctly_across_time_zones(engine):
    early, late = NOON.replace(microsecond=0), NOON
    with transaction(engine) as session:
        session.add_all([claim("late", late.astimezone(MOSCOW)), claim("early", early)])

    with transaction(engine) as session:
        ordered = session.scalars(select(ScheduleClaimRow.job_name).order_by(ScheduleClaimRow.last_tick)).all()
        after = session.scalars(
            select(ScheduleClaimRow.job_name).where(ScheduleClaimRow.last_tick > early.astimezone(MOSCOW))
        ).all()

    assert (ordered, after) == (["early", "late"], ["late"])


def test_a_time_without_a_zone_is_refused(engine):
    with pytest.raises(StatementError, match="no time zone"), transaction(engine) as session:
        session.add(claim("sync", datetime(2025, 10, 2, 12)))  # noqa: DTZ001  # that is what is refused


def test_a_missing_timestamp_is_none(engine):
    with engine.connect() as connection:
        assert connection.scalar(select(func.nullif(1, 1, type_=UTCDateTime()))) is None
    assert UTCDateTime().process_bind_param(None, engine.dialect) is None


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        (POSTGRESQL, "postgresql://127.0.0.1/shop"),
        ("postgresql+psycopg://anna:secret@db:5433/shop?password=secret&sslmode=require", "postgresql://db:5433/shop"),
        ("sqlite:////srv/a/../shop.db", "/srv/shop.db"),
        ("sqlite+pysqlite:////srv/shop.db?timeout=5", "/srv/shop.db"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_the_identity_of_a_database_has_no_credentials(url, identity):
    assert database_identity(make_url(url)) == identity


def test_postgresql_without_its_driver_is_a_sentence_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(SettingsError, match=r"^A PostgreSQL database needs .* pip install 'sovani\[postgres\]'"):
        create_engine(POSTGRESQL)


@pytest.mark.parametrize(("threshold", "prepares"), [(None, True), ("0", True), ("none", False)])
def test_statements_are_prepared_unless_the_url_says_no(postgres, threshold, prepares):
    query = {"prepare_threshold": threshold} if threshold else {}
    engine = create_engine(postgres.update_query_dict(query))
    limited = dedicated_engine(engine, EngineLimits(statement_timeout=10), traced=True)

    prepared = [_prepared(each) for each in (engine, limited)]

    engine.dispose()
    assert [number > 0 for number in prepared] == [prepares, prepares]


def _prepared(engine):
    """How many statements a connection has prepared that ran the same one several times."""
    with engine.connect() as connection:
        for _ in range(REPEATS):
            connection.execute(text("SELECT :number"), {"number": 1})
        return connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
