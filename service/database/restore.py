"""Replaces the database by a backup. The backup is checked first, and the current database is backed up."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import URL, Engine

from service.database import migrations
from service.database.backup import backup_database, run_client
from service.database.in_use import DatabaseLocation, require_unused
from telemetry import private_files
from telemetry.database import create_engine

_SQLITE_HEADER: Final = b"SQLite format 3\x00"
_PG_DUMP_HEADER: Final = b"PGDMP"
_PREVIOUS_SCHEMA: Final = "before_restore"


class RestoreFailed(Exception):  # the message is a sentence for the operator
    """Nothing was restored. The database is unchanged, unless the message says otherwise."""


def restore_database(location: DatabaseLocation, backup: Path, now: datetime, say: Callable[[str], None]) -> None:
    """Replace the database by a backup, and upgrade it to the newest revision.

    Args:
        location: the database.
        backup: the file.
        now: for the name of the backup of the current database.
        say: called with a sentence for each step.

    Raises:
        RestoreFailed: the backup is damaged, of another kind of database, or of a newer version.
        DatabaseInUse: the service is running.
        BackupFailed: the current database could not be backed up, and is unchanged; or a program is missing.
    """
    url = location.url
    is_sqlite = url.get_backend_name() == "sqlite"
    _check_kind(backup, is_sqlite=is_sqlite)
    check, replace = (_check_sqlite, _replace_sqlite) if is_sqlite else (_check_postgresql, _replace_postgresql)
    check(backup)
    say(f"{backup} is complete and undamaged.")
    require_unused(location, "restore")
    if kept := _backup_current(url, location.data_dir / "backups", now):
        say(f"The current database is kept in {kept}.")
    replace(url, backup)
    engine = create_engine(url)
    try:
        migrations.migrate(engine)
    finally:
        engine.dispose()
    say("The database is restored, and at the newest revision.")


def _check_kind(backup: Path, *, is_sqlite: bool) -> None:
    try:
        with backup.open("rb") as file:
            header = file.read(len(_SQLITE_HEADER))
    except OSError as error:
        raise RestoreFailed(f"{backup} cannot be read: {error.strerror}.") from None
    found = "SQLite" if header == _SQLITE_HEADER else "PostgreSQL" if header.startswith(_PG_DUMP_HEADER) else ""
    expected = "SQLite" if is_sqlite else "PostgreSQL"
    if not found:
        raise RestoreFailed(f"{backup} is no backup of this service: it is neither SQLite's nor pg_dump's.")
    if found != expected:
        raise RestoreFailed(f"{backup} is a backup of {found}, and DATABASE_URL is {expected}'s.")


def _check_sqlite(backup: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            found = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
            row = opened.execute("SELECT version_num FROM alembic_version").fetchone() if found == "ok" else None
    except sqlite3.Error as error:
        raise RestoreFailed(f"{backup} is no complete backup of this service: {error}.") from None
    if found != "ok":
        raise RestoreFailed(f"{backup} is damaged: {found}.")
    _check_revision(backup, row[0] if row else None)


def _check_revision(backup: Path, revision: str | None) -> None:
    if revision is None or not migrations.is_known(revision):
        raise RestoreFailed(f"{backup} is of another version of the service than this one knows: update the service.")


def _check_postgresql(backup: Path) -> None:
    """Check the revision, and that the whole backup is readable: `pg_restore` writes it as SQL to the null device."""
    sql = _pg_restore("--data-only", "--table=alembic_version", "--file=-", str(backup))
    rows = [line for line in sql.splitlines() if line and not line.startswith(("--", "SET", "SELECT", "COPY", "\\"))]
    _check_revision(backup, rows[0] if rows else None)
    _pg_restore(f"--file={os.devnull}", str(backup))


def _backup_current(url: URL, directory: Path, now: datetime) -> Path | None:
    """Back up the current database. None if there is none."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    return backup_database(url, directory, now)


def _replace_sqlite(url: URL, backup: Path) -> None:
    """Replace the file by a rename, so that a crash leaves either the old or the new database."""
    target = Path(url.database or "").absolute()
    restored = target.with_name(f".{target.name}.restoring")
    try:
        private_files.make_directory(target.parent)
        restored.unlink(missing_ok=True)
        private_files.make_file(restored)
        shutil.copyfile(backup, restored)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        restored.replace(target)
    except OSError as error:
        raise RestoreFailed(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            restored.unlink(missing_ok=True)


def _replace_postgresql(url: URL, backup: Path) -> None:
    """Rename the current schema, restore, and drop the renamed schema. If the restore fails, the schema is renamed back."""
    engine = create_engine(url, "sovani restore")
    try:
        _execute(engine, f"ALTER SCHEMA public RENAME TO {_PREVIOUS_SCHEMA}", "CREATE SCHEMA public")
        try:
            options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-password")
            _pg_restore(*options, f"--dbname={url.database}", str(backup), url=url)
        except BaseException:
            _execute(engine, "DROP SCHEMA public CASCADE", f"ALTER SCHEMA {_PREVIOUS_SCHEMA} RENAME TO public")
            raise
        _execute(engine, f"DROP SCHEMA {_PREVIOUS_SCHEMA} CASCADE")
    finally:
        engine.dispose()


def _execute(engine: Engine, *statements: str) -> None:
    """Execute the statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _pg_restore(*options: str, url: URL | None = None) -> str:
    done = run_client("pg_restore", options, url)
    if done.returncode != 0:
        raise RestoreFailed(f"pg_restore failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
