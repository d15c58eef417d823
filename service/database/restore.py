"""Restore: a backup in the place of the database. It is checked before anything is replaced, and what was there is backed up first."""

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

_SQLITE: Final = b"SQLite format 3\x00"
_POSTGRESQL: Final = b"PGDMP"
_ASIDE: Final = "before_restore"


class RestoreFailed(Exception):  # it says what happened
    """The database is what it was, unless the message says otherwise."""


def restore_database(place: DatabaseLocation, backup: Path, now: datetime, say: Callable[[str], None]) -> None:
    """Put the backup in the place of the database, and bring it to the newest revision. `say` is told each step.

    Raises:
        RestoreFailed: the backup is not whole, is of another kind of database or of a newer version.
        ServiceRuns: see there.
        BackupFailed: what is there now could not be backed up, so it was not touched; or a program is missing.
    """
    url = place.url
    is_sqlite = url.get_backend_name() == "sqlite"
    _check_kind(backup, is_sqlite=is_sqlite)
    check, replace = (_check_sqlite, _replace_sqlite) if is_sqlite else (_check_postgresql, _replace_postgresql)
    check(backup)
    say(f"{backup} is whole.")
    require_unused(place, "restore")
    if kept := _backup_current(url, place.data_dir / "backups", now):
        say(f"What is there now is kept in {kept}.")
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
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise RestoreFailed(f"{backup} cannot be read: {error.strerror}.") from None
    found = "SQLite" if head == _SQLITE else "PostgreSQL" if head.startswith(_POSTGRESQL) else ""
    wanted = "SQLite" if is_sqlite else "PostgreSQL"
    if not found:
        raise RestoreFailed(f"{backup} is no backup of this service: it is neither SQLite's nor pg_dump's.")
    if found != wanted:
        raise RestoreFailed(f"{backup} is a backup of {found}, and DATABASE_URL is {wanted}'s.")


def _check_sqlite(backup: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            found = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
            row = opened.execute("SELECT version_num FROM alembic_version").fetchone() if found == "ok" else None
    except sqlite3.Error as error:
        raise RestoreFailed(f"{backup} is no whole backup of this service: {error}.") from None
    if found != "ok":
        raise RestoreFailed(f"{backup} is damaged: {found}.")
    _check_revision(backup, row[0] if row else None)


def _check_revision(backup: Path, revision: str | None) -> None:
    if revision is None or not migrations.is_known(revision):
        raise RestoreFailed(f"{backup} is of another version of the service than this one knows: update the service.")


def _check_postgresql(backup: Path) -> None:
    """That all of it can be read, and what revision it is of: `pg_restore` writes it as SQL to nowhere."""
    told = _pg_restore("--data-only", "--table=alembic_version", "--file=-", str(backup))
    rows = [line for line in told.splitlines() if line and not line.startswith(("--", "SET", "SELECT", "COPY", "\\"))]
    _check_revision(backup, rows[0] if rows else None)
    _pg_restore(f"--file={os.devnull}", str(backup))


def _backup_current(url: URL, directory: Path, now: datetime) -> Path | None:
    """A backup of what is there; None where there is nothing."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    return backup_database(url, directory, now)


def _replace_sqlite(url: URL, backup: Path) -> None:
    """By one renaming, so that there is always the one or the other."""
    place = Path(url.database or "").absolute()
    fresh = place.with_name(f".{place.name}.restoring")
    try:
        private_files.make_directory(place.parent)
        fresh.unlink(missing_ok=True)
        private_files.make_file(fresh)
        shutil.copyfile(backup, fresh)
        for beside in ("-wal", "-shm"):
            place.with_name(place.name + beside).unlink(missing_ok=True)
        fresh.replace(place)
    except OSError as error:
        raise RestoreFailed(f"{place} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def _replace_postgresql(url: URL, backup: Path) -> None:
    """What is there goes into a schema aside; it comes back if the backup does not go in as a whole."""
    engine = create_engine(url, "sovani restore")
    try:
        _do(engine, f"ALTER SCHEMA public RENAME TO {_ASIDE}", "CREATE SCHEMA public")
        try:
            options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-password")
            _pg_restore(*options, f"--dbname={url.database}", str(backup), where=url)
        except BaseException:
            _do(engine, "DROP SCHEMA public CASCADE", f"ALTER SCHEMA {_ASIDE} RENAME TO public")
            raise
        _do(engine, f"DROP SCHEMA {_ASIDE} CASCADE")
    finally:
        engine.dispose()


def _do(engine: Engine, *statements: str) -> None:
    """All of them, or none."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _pg_restore(*options: str, where: URL | None = None) -> str:
    done = run_client("pg_restore", options, where)
    if done.returncode != 0:
        raise RestoreFailed(f"pg_restore failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
