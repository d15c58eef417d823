"""Notices that a SQLite file is not the one that an engine opened: it was deleted or replaced."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry

from telemetry import private_files
from telemetry.database.sqlite_files import FileId, file_id

_REPLACED: Final = "the database file was deleted or replaced"


class WatchedFile:
    """Refuses connections when the database file is not the one that the engine opened: its writes would be lost.

    It is accepted again when the same file is back, or after `Engine.dispose`. The file is only looked at by its path:
    opening and closing it would drop SQLite's locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._opened: FileId | None = None

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", lambda *_: self._prepare())
        event.listen(engine, "connect", self._remember)
        event.listen(engine, "checkout", self._verify)
        event.listen(engine, "engine_disposed", self._forget)

    def _prepare(self) -> None:
        if self._opened is None:
            _create_file(self._path)
        elif file_id(self._path) != self._opened:
            raise sqlite3.OperationalError(_REPLACED)

    def _remember(self, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA schema_version").fetchone()  # opens the log, also of a new database
        record.info["files"] = files = self._files()
        self._opened = self._opened or files[0]

    def _verify(self, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if (files := self._files()) != record.info["files"] or files[0] != self._opened:
            raise sqlite3.OperationalError(_REPLACED)

    def _forget(self, _engine: Engine) -> None:
        self._opened = None

    def _files(self) -> tuple[FileId | None, FileId | None]:
        """The database and its log, which exists as long as a connection is open."""
        return file_id(self._path), file_id(self._path.with_name(f"{self._path.name}-wal"))


def _create_file(file: Path) -> None:
    """Create the database file for its owner only; SQLite gives its log the same mode. Errors are left to SQLite."""
    private_files.make_directory(file.parent)
    with suppress(OSError):
        private_files.make_file(file)
