"""The runs of many jobs over a window, for a timeline: of each job a bounded number, found by an index.

The newest runs of a job are read as they are. Of the time before them, one run is read for each of a number of buckets, and the
newest failures: so a job that runs each second costs as much as one that runs each hour.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.database import transaction

MAX_ROWS: Final = 2000
"""Of all jobs together, about: each job gets its share of them."""
_SHARES: Final = (40, 240)
_MAX_RUNNING: Final = 500


@dataclass(frozen=True, slots=True)
class DrawnRun:
    """A run. Seconds since 1970; `ended_at` and `outcome` are None while it is active.

    `is_sample`: it stands for all runs between `started_at` and `ended_at`, of which there are more than are read.
    """

    started_at: float
    ended_at: float | None
    outcome: str | None
    duration: float | None = None
    is_sample: bool = False


@dataclass(slots=True)
class JobLane:
    """The runs of a job in a window.

    Attributes:
        newest: the newest runs that have ended, the newest first.
        older: where there are more of them than are read, samples of the time before, and failures.
        running: the active ones.
    """

    newest: list[DrawnRun] = field(default_factory=list)
    older: list[DrawnRun] = field(default_factory=list)
    running: list[DrawnRun] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether `newest` has all runs of the window."""
        return not self.older


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the databases say differently.

    Attributes:
        newest: of each of `:jobs`, the newest runs that meet a condition, in an order: the two are put in.
        samples: of each job and each bucket from `:starts` to `:ends`, the first run that ended in it.
        started: the active runs.
        bind: a timestamp, from Unix seconds.
    """

    newest: str
    samples: str
    started: str
    bind: Callable[[float], Any]


_SQLITE: Final = _Dialect(
    """
    SELECT j.key AS lane, (julianday(r.finished_at) - 2440587.5) * 86400.0 AS ended, r.duration_seconds, r.outcome
    FROM json_each(:jobs) AS j CROSS JOIN job_runs AS r ON r.id IN (
        SELECT id FROM job_runs WHERE job_name = j.value AND {condition} ORDER BY {order} LIMIT :share
    )
    """,
    """
    SELECT j.key AS lane, b.key AS bucket, r.outcome
    FROM json_each(:jobs) AS j CROSS JOIN json_each(:starts) AS b
    CROSS JOIN job_runs AS r ON r.id = (
        SELECT id FROM job_runs WHERE job_name = j.value AND finished_at >= b.value
        AND finished_at < json_extract(:ends, '$[' || b.key || ']') ORDER BY finished_at LIMIT 1
    )
    """,
    """
    SELECT job_name, (julianday(started_at) - 2440587.5) * 86400.0
    FROM job_runs WHERE finished_at IS NULL ORDER BY heartbeat_at DESC LIMIT :most
    """,
    lambda at: f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}",
)
_POSTGRESQL: Final = _Dialect(
    """
    SELECT j.lane - 1 AS lane, CAST(extract(epoch FROM r.finished_at) AS double precision) AS ended, r.duration_seconds, r.outcome
    FROM unnest(CAST(:jobs AS text[])) WITH ORDINALITY AS j(name, lane)
    CROSS JOIN LATERAL (
        SELECT finished_at, duration_seconds, outcome FROM job_runs WHERE job_name = j.name AND {condition} ORDER BY {order} LIMIT :share
    ) AS r
    """,
    """
    SELECT j.lane - 1 AS lane, b.bucket - 1 AS bucket, r.outcome
    FROM unnest(CAST(:jobs AS text[])) WITH ORDINALITY AS j(name, lane)
    CROSS JOIN unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) WITH ORDINALITY AS b(began, ended, bucket)
    CROSS JOIN LATERAL (
        SELECT outcome FROM job_runs WHERE job_name = j.name AND finished_at >= b.began AND finished_at < b.ended
        ORDER BY finished_at LIMIT 1
    ) AS r
    """,
    """
    SELECT job_name, CAST(extract(epoch FROM started_at) AS double precision)
    FROM job_runs WHERE finished_at IS NULL ORDER BY heartbeat_at DESC LIMIT :most
    """,
    lambda at: datetime.fromtimestamp(at, UTC),
)
_IN_WINDOW: Final = "finished_at >= :since AND finished_at <= :until"
_FAILED: Final = f"status = '{semconv.STATUS_FAILED}'"


def read_lanes(engine: Engine, job_names: Sequence[str], since: float, until: float) -> dict[str, JobLane]:
    """The lanes of the given jobs, by name, also of those without a run.

    Raises:
        SQLAlchemyError: the database is unavailable.
    """
    with transaction(engine) as session:
        return _LaneReader(session, job_names, since, until).read()


class _LaneReader:
    def __init__(self, session: Session, job_names: Sequence[str], since: float, until: float) -> None:
        self._session = session
        self._dialect = _POSTGRESQL if session.get_bind().dialect.name == "postgresql" else _SQLITE
        self._names = list(job_names)
        least, most = _SHARES
        self._share = min(most, max(least, MAX_ROWS // max(1, len(self._names))))
        self._since, self._until = since, until
        self._lanes = {name: JobLane() for name in self._names}

    def read(self) -> dict[str, JobLane]:
        if self._names:
            self._read_newest()
            self._read_running()
            dense = [name for name, lane in self._lanes.items() if len(lane.newest) >= self._share]
            if dense:
                self._read_samples(dense)
                self._read_failures(dense)
        return self._lanes

    def _read_newest(self) -> None:
        bind = self._dialect.bind
        window = {"since": bind(self._since), "until": bind(self._until)}
        for name, run in self._newest_of(self._names, _IN_WINDOW, "finished_at DESC", window):
            self._lanes[name].newest.append(run)
        for lane in self._lanes.values():
            lane.newest.sort(key=lambda run: run.ended_at or 0.0, reverse=True)

    def _read_failures(self, dense: Sequence[str]) -> None:
        for name, run in self._newest_of(dense, _FAILED, "id DESC", {}):
            if self._since <= (run.ended_at or 0.0) < self._known_from(name):
                self._lanes[name].older.append(run)

    def _read_samples(self, dense: Sequence[str]) -> None:
        """A bucket is as long as the part of the window that a lane's share of rows draws."""
        length = (self._until - self._since) / self._share
        starts = [self._since + n * length for n in range(self._share)]
        given = self._values({"jobs": dense, "starts": starts, "ends": [start + length for start in starts]})
        for lane, bucket, outcome in self._session.execute(text(self._dialect.samples), given).all():
            began, name = starts[bucket], dense[lane]
            if began < self._known_from(name):
                self._lanes[name].older.append(DrawnRun(began, began + length, outcome, is_sample=True))

    def _known_from(self, name: str) -> float:
        """Since when all runs of a dense job are read."""
        return self._lanes[name].newest[self._share - 1].ended_at or 0.0

    def _read_running(self) -> None:
        for name, began in self._session.execute(text(self._dialect.started), {"most": _MAX_RUNNING}).all():
            if name in self._lanes:
                self._lanes[name].running.append(DrawnRun(began, None, None))

    def _newest_of(
        self, names: Sequence[str], condition: str, order: str, values: Mapping[str, Any]
    ) -> Iterator[tuple[str, DrawnRun]]:
        statement = text(self._dialect.newest.format(condition=condition, order=order))
        given = {**self._values({"jobs": names}), "share": self._share, **values}
        for lane, ended, seconds, outcome in self._session.execute(statement, given).all():
            yield names[lane], DrawnRun(ended - (seconds or 0.0), ended, outcome, seconds)

    def _values(self, lists: Mapping[str, Collection[Any]]) -> dict[str, Any]:
        bind = self._dialect.bind
        converted = {
            name: [bind(value) if isinstance(value, float) else value for value in values]
            for name, values in lists.items()
        }
        return (
            converted
            if self._dialect is _POSTGRESQL
            else {name: json.dumps(value) for name, value in converted.items()}
        )
