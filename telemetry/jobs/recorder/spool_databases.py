"""Which database each spool of a directory is for. The spools of another database are left alone, and reported."""

import logging
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from telemetry.jobs.recorder.spool import SEGMENT_SUFFIX
from telemetry.jobs.recorder.spool_codec import MAX_LINE_BYTES, decode_database

_log: Final = logging.getLogger(__name__)


class SpoolDatabases:
    """Reads the first line of each spool once. A spool of an earlier version names no database, and is for any."""

    def __init__(self, directory: Path, database: str) -> None:
        """`database` is the one of this process, without credentials; if it is empty, no spool is foreign."""
        self._directory = directory
        self._database = database
        self._known: dict[str, str] = {}
        self._reported: set[str] = set()

    def is_foreign(self, spool: str) -> bool:
        """Whether the spool with this id is for another database than that of this process."""
        if not self._known.get(spool):
            self._known[spool] = self._read(spool)
        return bool(self._database) and self._known[spool] not in {"", self._database}

    def foreign(self) -> Counter[str]:
        """The other databases, each with the number of its spools.

        Raises:
            OSError: the directory cannot be read.
        """
        spools = {path.name.partition(".")[0] for path in self._segments("*")}
        self._known = {spool: database for spool, database in self._known.items() if spool in spools}
        return Counter(self._known[spool] for spool in spools if self.is_foreign(spool))

    def report(self) -> None:
        """Log each other database once."""
        for database in self.foreign():
            if database not in self._reported:
                self._reported.add(database)
                _log.warning("%s", self.sentence(database))

    def sentence(self, database: str) -> str:
        return (
            f"{self._directory} also has job runs for another database, {database}, and not for {self._database}: they wait "
            f"for a process with that database. Each service needs a DATA_DIR of its own."
        )

    def _read(self, spool: str) -> str:
        return next((database for path in self._segments(spool) if (database := _database_of(path))), "")

    def _segments(self, spool: str) -> list[Path]:
        return sorted(path for path in self._directory.glob(f"{spool}.*{SEGMENT_SUFFIX}") if path.is_file())


def _database_of(segment: Path) -> str:
    with suppress(OSError), segment.open("rb") as file:
        return decode_database(file.readline(MAX_LINE_BYTES)) or ""
    return ""
