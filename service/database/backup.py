"""Backup: a copy of the database, whole or not there at all, made while the service goes on writing.

It is written under a name that begins with a dot, and gets its own when it is complete, checked and on the disk.
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

TIMEOUT: Final = 1800.0
_SOON: Final = 10.0
_PAGES: Final = 256  # 1 MiB a step; between two steps it is seen whether the time is up
_LEFT_BEHIND: Final = timedelta(days=1)
_LOCK_WAIT_MS: Final = 60_000


class BackupFailed(Exception):  # it says what happened
    """There is no new backup, and the message says why."""


class BackupUnavailable(BackupFailed):
    """There can't be one until somebody does what the message says."""


def backup_database(url: URL, directory: Path, now: datetime, timeout: float = TIMEOUT) -> Path:
    """Back up into `sovani-YYYYMMDDTHHMMSSZ.db` (SQLite) or `.dump` (PostgreSQL: for `pg_restore`), for the owner's eyes.

    Raises:
        BackupUnavailable: something is missing that a backup needs.
        BackupFailed: it was tried, and did not work.
    """
    copy, suffix = (_copy_sqlite, "db") if url.get_backend_name() == "sqlite" else (_dump_postgresql, "dump")
    private_files.make_directory(directory)
    _remove_left_behind(directory, now - _LEFT_BEHIND)
    final, partial = _reserve(directory, f"sovani-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}", suffix)
    try:
        copy(url, partial, timeout)
        _sync(partial)
        partial.rename(final)
        _sync(directory)
    finally:
        partial.unlink(missing_ok=True)
    return final


def _remove_left_behind(directory: Path, before: datetime) -> None:
    """A process that was killed could not remove its half of a backup."""
    for partial in directory.glob(".sovani-*.partial*"):
        if partial.lstat().st_mtime < before.timestamp():
            partial.unlink(missing_ok=True)


def _reserve(directory: Path, stem: str, suffix: str) -> tuple[Path, Path]:
    """A name that no backup has, and the file that becomes it: whoever makes that file has the name, in any process."""
    number = 1
    while True:
        final = directory / (f"{stem}.{suffix}" if number == 1 else f"{stem}-{number}.{suffix}")
        partial = final.with_name(f".{final.name}.partial")
        if _created(partial):
            if not final.exists():
                return final, partial
            partial.unlink()
        number += 1


def _created(path: Path) -> bool:
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
    where = f"{database.absolute().as_uri()}?mode=rw"  # not `rwc`, which would make an empty database
    try:
        with (
            closing(sqlite3.connect(where, uri=True, isolation_level=None)) as source,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            _hold_snapshot(source)
            source.backup(copy, pages=_PAGES, progress=_within(timeout))
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL beside it
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite could not copy the database: {error}.") from error
    if found != "ok":
        raise BackupFailed(f"The copy of the database is damaged, and the database may be, too: {found}.")


def _hold_snapshot(source: sqlite3.Connection) -> None:
    """Without it every write of somebody else begins the copy anew, and with steady writes it never ends.

    With a WAL a reader blocks nobody; without one it would keep the writers out.
    """
    if source.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _within(timeout: float) -> Callable[[int, int, int], None]:
    deadline = time.monotonic() + timeout

    def progress(_status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise BackupFailed(f"The copy was not done within {timeout:.0f} s: {remaining} of {total} pages were left.")

    return progress


def _dump_postgresql(url: URL, partial: Path, timeout: float) -> None:
    options = ("--format=custom", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}", f"--file={partial}")
    done = run_client("pg_dump", options, url, timeout)
    if done.returncode != 0:
        raise _failure(done.stderr)


def run_client(
    name: str, options: Sequence[str], url: URL | None, timeout: float = TIMEOUT
) -> "subprocess.CompletedProcess[str]":
    """Run one of PostgreSQL's client programs to its end, with the database of the URL, if it is to have one.

    Raises:
        BackupUnavailable: it is not there.
        BackupFailed: it was not done within the timeout, in seconds.
    """
    program = shutil.which(name)
    if program is None:
        raise BackupUnavailable(f"{name} is not on the PATH: install PostgreSQL's client programs.")
    try:
        return subprocess.run(  # noqa: S603  # the operator's PATH says which program this is, and nobody else the options
            (program, *options),
            env={**os.environ, "LC_ALL": "C", **(_connection(url) if url is not None else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{name} was not done within {timeout:.0f} s.") from None


def _connection(url: URL) -> dict[str, str]:
    """Where and who, as libpq's own variables: every user of a machine can read the arguments of a program."""
    from psycopg import pq  # noqa: PLC0415  # takes a fifth of a second, and SQLite does without

    _, given = url.get_dialect()().create_connect_args(url)
    known = {option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    return {known[name]: str(value) for name, value in given.items() if name in known}


def _failure(said: str) -> BackupFailed:
    if "server version mismatch" in said:
        versions = re.search(r"server version: ([0-9.]+).*pg_dump version: ([0-9.]+)", said)
        return _older(*(versions.groups() if versions else ("?", "?")))
    return BackupFailed(f"pg_dump failed: {' '.join(said.split())[:300]}")


def _older(server: str, client: str) -> BackupUnavailable:
    return BackupUnavailable(
        f"pg_dump is older ({client}) than the server ({server}): install the client programs of PostgreSQL {server}."
    )


def check_backup(engine: Engine) -> str:
    """Who would make a backup, in words: that nobody can is not to be found out at night.

    Raises:
        BackupFailed: nobody can, and the message says what to do.
    """
    if engine.dialect.name == "sqlite":
        return "made by SQLite itself"
    with engine.connect() as connection:
        server = _version(connection.scalar(text("SHOW server_version")))
    client, _ = (_version(run_client(name, ("--version",), None, _SOON).stdout) for name in ("pg_dump", "pg_restore"))
    if int(client.partition(".")[0]) < int(server.partition(".")[0]):  # it refuses what is newer than itself
        raise _older(server, client)
    return f"made by pg_dump {client} of PostgreSQL {server}"


def _version(said: str | None) -> str:
    found = re.search(r"\d+(?:\.\d+)*", said or "")
    if found is None:
        raise BackupFailed(f"This is no version of PostgreSQL: {said!r}.")
    return found[0]
