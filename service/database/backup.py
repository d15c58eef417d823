"""Backs up the database while the service is running.

A backup is written under a temporary name, and renamed when it is complete, checked and synced to disk.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import URL, Engine

from telemetry import private_files

BACKUP_TIMEOUT: Final = 1800.0
_VERSION_TIMEOUT: Final = 10.0
_PAGES_PER_STEP: Final = 256  # 1 MiB; the timeout is checked between two steps
_MAX_PARTIAL_AGE: Final = timedelta(days=1)
_LOCK_TIMEOUT_MS: Final = 60_000


class BackupFailed(Exception):  # the message is a sentence for the operator
    """No backup was made; the message says why."""


class BackupUnavailable(BackupFailed):
    """No backup can be made until the operator does what the message says."""


def backup_database(url: URL, directory: Path, now: datetime, timeout: float = BACKUP_TIMEOUT) -> Path:
    """Back up the database into a new file that only its owner can read.

    Args:
        url: the database.
        directory: where to put `sovani-YYYYMMDDTHHMMSSZ.db` (SQLite) or `.dump` (PostgreSQL, for `pg_restore`).
        now: for the file's name.
        timeout: in seconds.

    Returns:
        The new file.

    Raises:
        BackupUnavailable: there is no database file, or no suitable `pg_dump`.
        BackupFailed: the backup failed.
    """
    copy, suffix = (_copy_sqlite, "db") if url.get_backend_name() == "sqlite" else (_dump_postgresql, "dump")
    private_files.make_directory(directory)
    _remove_partials(directory, now - _MAX_PARTIAL_AGE)
    final, partial = _reserve(directory, f"sovani-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}", suffix)
    try:
        copy(url, partial, timeout)
        _sync(partial)
        partial.rename(final)
        _sync(directory)
    finally:
        partial.unlink(missing_ok=True)
    return final


def _remove_partials(directory: Path, before: datetime) -> None:
    """Delete the incomplete backups that killed processes left behind."""
    for partial in directory.glob(".sovani-*.partial*"):
        if partial.lstat().st_mtime < before.timestamp():
            partial.unlink(missing_ok=True)


def _reserve(directory: Path, stem: str, suffix: str) -> tuple[Path, Path]:
    """Find an unused name, and create its temporary file, which reserves the name against all other processes."""
    number = 1
    while True:
        final = directory / (f"{stem}.{suffix}" if number == 1 else f"{stem}-{number}.{suffix}")
        partial = final.with_name(f".{final.name}.partial")
        if _create_exclusively(partial):
            if not final.exists():
                return final, partial
            partial.unlink()
        number += 1


def _create_exclusively(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_sqlite(url: URL, partial: Path, timeout: float) -> None:
    database = Path(url.database or "")
    if not database.is_file():
        raise BackupUnavailable(f"{url.database or ':memory:'} is no database file, so there is nothing to back up.")
    uri = f"{database.absolute().as_uri()}?mode=rw"  # not `rwc`, which would create an empty database
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            _hold_snapshot(source)
            source.backup(copy, pages=_PAGES_PER_STEP, progress=_progress_until(timeout))
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL beside it
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite could not copy the database: {error}.") from error
    if found != "ok":
        raise BackupFailed(f"The copy of the database is damaged, and the database may be, too: {found}.")


def _hold_snapshot(source: sqlite3.Connection) -> None:
    """Open a read transaction. Without it each concurrent write restarts the copy, which then may never end.

    Only with a WAL: without one, the read transaction would block all writers.
    """
    if source.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _progress_until(timeout: float) -> Callable[[int, int, int], None]:
    deadline = time.monotonic() + timeout

    def progress(_status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise BackupFailed(f"The copy was not done within {timeout:.0f} s: {remaining} of {total} pages were left.")

    return progress


def _dump_postgresql(url: URL, partial: Path, timeout: float) -> None:
    options = ("--format=custom", "--no-password", f"--lock-wait-timeout={_LOCK_TIMEOUT_MS}", f"--file={partial}")
    done = run_client("pg_dump", options, url, timeout)
    if done.returncode != 0:
        raise _failure(done.stderr)


def run_client(
    name: str, options: Sequence[str], url: URL | None, timeout: float = BACKUP_TIMEOUT
) -> "subprocess.CompletedProcess[str]":
    """Run one of PostgreSQL's client programs to its end.

    Args:
        name: the program, such as `pg_dump`.
        options: its arguments.
        url: the database that it connects to, if any.
        timeout: in seconds.

    Raises:
        BackupUnavailable: the program is not installed.
        BackupFailed: it did not end within the timeout.
    """
    program = shutil.which(name)
    if program is None:
        raise BackupUnavailable(f"{name} is not on the PATH: install PostgreSQL's client programs.")
    try:
        return subprocess.run(  # noqa: S603  # the program comes from the operator's PATH, the options from this code
            (program, *options),
            env={**os.environ, "LC_ALL": "C", **(_connection_variables(url) if url is not None else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{name} was not done within {timeout:.0f} s.") from None


def _connection_variables(url: URL) -> dict[str, str]:
    """The connection as libpq's environment variables: every user of the machine can read a program's arguments."""
    from psycopg import pq  # noqa: PLC0415  # loading it takes 0.2 s, and SQLite does not need it

    _, given = url.get_dialect()().create_connect_args(url)
    known = {option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    return {known[name]: str(value) for name, value in given.items() if name in known}


def _failure(stderr: str) -> BackupFailed:
    if "server version mismatch" in stderr:
        versions = re.search(r"server version: ([0-9.]+).*pg_dump version: ([0-9.]+)", stderr)
        return _outdated_client(*(versions.groups() if versions else ("?", "?")))
    return BackupFailed(f"pg_dump failed: {' '.join(stderr.split())[:300]}")


def _outdated_client(server: str, client: str) -> BackupUnavailable:
    return BackupUnavailable(
        f"pg_dump is older ({client}) than the server ({server}): install the client programs of PostgreSQL {server}."
    )


def check_backup(engine: Engine) -> str:
    """Check that a backup could be made, and say by which program.

    Raises:
        BackupFailed: none could be made; the message says what to do.
    """
    if engine.dialect.name == "sqlite":
        return "available: by SQLite itself"
    with engine.connect() as connection:
        server = _version(connection.scalar(text("SHOW server_version")))
    client, _ = (
        _version(run_client(name, ("--version",), None, _VERSION_TIMEOUT).stdout) for name in ("pg_dump", "pg_restore")
    )
    if int(client.partition(".")[0]) < int(server.partition(".")[0]):  # pg_dump refuses newer servers
        raise _outdated_client(server, client)
    return f"available: pg_dump {client} of PostgreSQL {server}"


def _version(output: str | None) -> str:
    found = re.search(r"\d+(?:\.\d+)*", output or "")
    if found is None:
        raise BackupFailed(f"This is no version of PostgreSQL: {output!r}.")
    return found[0]
