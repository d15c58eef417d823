"""Finds the traces that are kept, and puts their spans together."""

import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from telemetry.recent.database import RecentDatabase
from telemetry.recent.distinct_values import distinct_values, least_number
from telemetry.recent.recent_file import RecentUnavailable, sound
from telemetry.recent.trace_tree import TraceSpan, tree_of

_MAX_NAMES: Final = 300
_COLUMNS: Final = "trace_id, kind, name, method, status, failed, started, seconds, spans, kept_as"
_TYPES: Final = (str, str, str, str, str, int, float, float, int, str)
_CONDITIONS: Final = {
    "name": "name = ?",
    "status": "status = ?",
    "kind": "kind = ?",
    "failed": "failed = ?",
    "min_seconds": "seconds >= ?",
    "trace_id": "trace_id GLOB ?",
    "since": "started >= ?",
    "before": "started < ?",
}


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """A trace that is kept.

    Attributes:
        kind: request, job or other.
        name: the route of a request, the name of a job, else of the outermost span.
        method: of a request; else empty.
        status: the status code of a request; success or failed of a job; else ok or error.
        started: Unix time.
        spans: how many it had, also those that are not kept.
        kept_as: why it is kept: failed, slow, job or sample.
    """

    trace_id: str
    kind: str
    name: str
    method: str
    status: str
    failed: bool
    started: float
    seconds: float
    spans: int
    kept_as: str


@dataclass(frozen=True, slots=True)
class Trace:
    """`spans` are in the order of the tree: each span is followed by those within it, by their beginning.

    Attributes:
        left_out: how many more spans it had.
        started: Unix time of the first span that is kept.
        seconds: from there to the end of the last one.
    """

    summary: TraceSummary
    spans: tuple[TraceSpan, ...]
    left_out: int
    started: float
    seconds: float


class TraceQueries:
    """All methods raise sqlite3.Error or OSError while the file cannot be read."""

    def __init__(self, database: RecentDatabase) -> None:
        self._database = database

    def search(  # noqa: PLR0913  # each is a filter of its own
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        kind: str | None = None,
        failed: bool | None = None,
        min_seconds: float | None = None,
        trace_id: str | None = None,
        since: float | None = None,
        before: float | None = None,
        limit: int = 50,
    ) -> list[TraceSummary]:
        """The newest traces first. `name`, `status` and `kind` are as in `TraceSummary`.

        Args:
            trace_id: the id, or its beginning: hexadecimal digits.
            since: those that began at this Unix time or later.
            before: those that began before this Unix time, such as those of the next page.
        """
        given = {
            "name": name,
            "status": status,
            "kind": kind,
            "failed": failed,
            "min_seconds": min_seconds,
            "trace_id": f"{trace_id}*" if trace_id else None,
            "since": since,
            "before": before,
        }
        filters = {each: value for each, value in given.items() if value is not None}
        where = " AND ".join(_CONDITIONS[each] for each in filters) or "1"
        query = f"SELECT {_COLUMNS} FROM traces WHERE {where} ORDER BY started DESC LIMIT ?"  # noqa: S608  # names of ours
        with self._database.reading() as connection:
            return [_summary(row) for row in connection.execute(query, (*filters.values(), limit))]

    def get(self, trace_id: str) -> Trace | None:
        """None if the trace is not kept, or not any more."""
        with self._database.reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()  # noqa: S608
            summary = None if row is None else _summary(row)
            parts = connection.execute("SELECT body FROM trace_spans WHERE trace_id = ? ORDER BY part", (trace_id,))
            bodies = [body for (body,) in parts.fetchall()]
        if summary is None:
            return None
        try:
            tree = tree_of(bodies)
        except (zlib.error, ValueError, LookupError, TypeError) as error:
            raise RecentUnavailable("its spans are damaged") from error
        return Trace(summary, tree.spans, tree.left_out, tree.started, tree.seconds)

    def kept(self, trace_ids: Collection[str]) -> set[str]:
        """Those of the ids whose traces are kept."""
        wanted = ", ".join("?" * len(trace_ids))
        with self._database.reading() as connection:
            rows = connection.execute(f"SELECT trace_id FROM traces WHERE trace_id IN ({wanted})", tuple(trace_ids))  # noqa: S608
            return {trace_id for (trace_id,) in rows}

    def names(self) -> list[str]:
        """The routes, jobs and other names that traces are kept of."""
        with self._database.reading() as connection:
            return distinct_values(connection, "traces", "name", _MAX_NAMES)

    def oldest(self) -> float | None:
        """When the oldest trace began that is kept."""
        with self._database.reading() as connection:
            return least_number(connection, "traces", "started")


def _summary(row: tuple[Any, ...]) -> TraceSummary:
    return replace(TraceSummary(*sound(row, _TYPES)), failed=bool(row[5]))
