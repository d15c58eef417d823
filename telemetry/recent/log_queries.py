"""Finds the log lines that are kept."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from telemetry.recent.database import RecentDatabase
from telemetry.recent.distinct_values import distinct_values, least_number
from telemetry.recent.recent_file import sound

_MAX_COMPONENTS: Final = 200
_COLUMNS: Final = "id, at, level, logger, component, message, error, trace_id, span_id"
_TYPES: Final = (int, float, int, str, str, str, str | None, str | None, str | None)
_CONDITIONS: Final = {
    "level": "level >= ?",
    "component": "component = ?",
    "trace_id": "trace_id = ?",
    "before": "id < ?",
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as it was written, without secrets.

    Attributes:
        id: grows with each line.
        at: Unix time.
        level: the number that `logging` has for it.
        error: the traceback, if there is one.
        trace_id: of the trace that it was logged in; that may not be kept.
    """

    id: int
    at: float
    level: int
    logger: str
    component: str
    message: str
    error: str | None
    trace_id: str | None
    span_id: str | None

    @property
    def level_name(self) -> str:
        return logging.getLevelName(self.level)


class LogQueries:
    """All methods raise sqlite3.Error or OSError while the file cannot be read."""

    def __init__(self, database: RecentDatabase) -> None:
        self._database = database

    def search(  # noqa: PLR0913  # each is a filter of its own
        self,
        *,
        level: int | None = None,
        component: str | None = None,
        text: str | None = None,
        trace_id: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[LogLine]:
        """The newest lines first. Lines of a request that failed are written when it has ended, so that ids follow times about.

        Args:
            level: lines of this level and above.
            component: of this component alone.
            text: in the message or in the traceback, in any case.
            trace_id: of this trace.
            before: with a smaller id, for the next page.
            limit: at most so many.
        """
        given = {"level": level, "component": component, "trace_id": trace_id, "before": before}
        parts = {_CONDITIONS[name]: [value] for name, value in given.items() if value is not None}
        if text:
            parts["(message LIKE ? ESCAPE '\\' OR error LIKE ? ESCAPE '\\')"] = [contains(text)] * 2
        where = " AND ".join(parts) or "1"
        values: list[Any] = [value for each in parts.values() for value in each]
        with self._database.reading() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM logs WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608  # names of ours
                (*values, limit),
            )
            return sorted(
                (LogLine(*sound(row, _TYPES)) for row in found), key=lambda line: (line.at, line.id), reverse=True
            )

    def components(self) -> list[str]:
        """The components that have lines."""
        with self._database.reading() as connection:
            return distinct_values(connection, "logs", "component", _MAX_COMPONENTS)

    def oldest(self) -> float | None:
        """When the oldest line was logged."""
        with self._database.reading() as connection:
            return least_number(connection, "logs", "at")


def contains(text: str) -> str:
    """The pattern of LIKE for a text that may have any characters."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
