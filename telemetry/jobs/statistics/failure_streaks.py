"""The failures of each job since its last success, in all processes and on all machines; for the alerts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from telemetry.database import transaction
from telemetry.jobs.statistics.history import History
from telemetry.jobs.statistics.run_results import FAILURE, SUCCESS, RunEnd
from telemetry.jobs.statistics.streaks import count_streak, streak_bounds
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

MAX_FAILURES: Final = 100
MAX_AGE: Final = 3600.0
RECENT_RUNS: Final = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run. `error` and `first_error` are empty if the run has none."""

    ended_at: datetime
    worker: str
    outcome: str
    error: str
    first_error: str
    run_id: str


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """The failures of a job since its last success; none if its newest run succeeded.

    Attributes:
        job_name: the job.
        failures: the newest `MAX_FAILURES` of them that are not pruned, the oldest first.
        last_success: when the newest success ended.
        last_end: when the newest success or failure ended.
        omitted: how many older failures of the streak are not in `failures`.
        ended: the streak that the newest successes have ended; None while the job fails, and if its rows are pruned.
    """

    job_name: str
    failures: list[Failure]
    last_success: datetime | None
    last_end: datetime | None
    omitted: int = 0
    ended: "FailureStreak | None" = None

    @property
    def runs(self) -> int:
        """How many failures there are in a row."""
        return len(self.failures) + self.omitted

    @property
    def is_truncated(self) -> bool:
        return self.omitted > 0


class FailureStreaks:
    """`failure_streaks`, kept: only the jobs of which a run has begun or ended since are read again, all of them every `MAX_AGE`.

    Until then it is not noticed that an end has replaced the mark of a lost run.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._read_at = -math.inf
        self._recent: set[tuple[int, str, bool]] = set()
        self._streaks: dict[str, FailureStreak] = {}

    def __call__(self) -> list[FailureStreak]:
        """Raises SQLAlchemyError if the database is unavailable."""
        now = self._clock()
        with transaction(self._engine) as session:
            recent = _recent_runs(session)
        begun_or_ended = recent - self._recent
        if now - self._read_at >= MAX_AGE or len(begun_or_ended) >= RECENT_RUNS:
            self._streaks = {each.job_name: each for each in failure_streaks(self._engine)}
            self._read_at = now
        else:
            ended = {each for each in self._recent - recent if each[2]}
            self._refresh({name for _, name, _ in begun_or_ended | ended})
        self._recent = recent
        return list(self._streaks.values())

    def _refresh(self, job_names: set[str]) -> None:
        with transaction(self._engine) as session:
            for name in job_names:
                self._streaks[name] = _failure_streak(session, name)


def _recent_runs(session: Session) -> set[tuple[int, str, bool]]:
    """The id and the job of each run that was written last or is running, and whether it is running."""
    run = JobRunRow
    columns = select(run.id, run.job_name, run.finished_at.is_(None))
    newest = session.execute(columns.order_by(run.id.desc()).limit(RECENT_RUNS)).all()
    running = session.execute(columns.where(run.finished_at.is_(None)).order_by(run.id.desc()).limit(RECENT_RUNS)).all()
    return {(number, name, bool(is_running)) for number, name, is_running in (*newest, *running)}


def failure_streaks(engine: Engine) -> list[FailureStreak]:
    """Read the failure streak of each job that has rows. See `telemetry.jobs.statistics.streaks` for what counts.

    Raises:
        SQLAlchemyError: the database is unavailable.
    """
    known = JobRunRepository(engine).names()
    with transaction(engine) as session:
        return [_failure_streak(session, name) for name in known]


def _failure_streak(session: Session, job_name: str) -> FailureStreak:
    history = History(session, job_name, None)
    bounds = streak_bounds(history)
    is_failing = bounds.result is FAILURE
    failures = _newest_failures(session, job_name, bounds.previous) if is_failing else []
    last_success = _last_success(session, job_name, bounds.success)
    ends = [last_success, *(failure.ended_at for failure in failures[-1:])]
    return FailureStreak(
        job_name,
        failures,
        last_success,
        max((end for end in ends if end is not None), default=None),
        omitted=count_streak(history, bounds) - len(failures) if is_failing else 0,
        ended=_ended_streak(session, job_name, bounds.failure) if bounds.result is SUCCESS else None,
    )


def _ended_streak(session: Session, job_name: str, newest: RunEnd | None) -> FailureStreak | None:
    """The streak whose last failure this is."""
    if newest is None or not newest.row_id:
        return None
    run = JobRunRow
    ends = select(run.finished_at, run.id).where(run.job_name == job_name, SUCCESS.matches_row())
    before = ends.where(run.finished_at <= newest.ended_at, ~newest.precedes_row())
    found = session.execute(before.order_by(run.finished_at.desc(), run.id.desc()).limit(1)).one_or_none()
    success = None if found is None else RunEnd(*found)
    failures = _newest_failures(session, job_name, success)
    return FailureStreak(job_name, failures, success and success.ended_at, newest.ended_at) if failures else None


def _newest_failures(session: Session, job_name: str, after: RunEnd | None) -> list[Failure]:
    run = JobRunRow
    newest = (
        select(run.finished_at, run.worker, run.outcome, run.error_message, run.first_error, run.run_id)
        .where(run.job_name == job_name, run.finished_at.is_not(None), FAILURE.matches_row())
        .order_by(run.finished_at.desc(), run.id.desc())
        .limit(MAX_FAILURES)
    )
    rows = session.execute(newest if after is None else newest.where(after.precedes_row())).all()
    return [
        Failure(ended_at, worker, outcome or "", error or "", first_error or "", run_id)
        for ended_at, worker, outcome, error, first_error, run_id in reversed(rows)
    ]


def _last_success(session: Session, job_name: str, end: RunEnd | None) -> datetime | None:
    """When the newest success ended; if its row is pruned, from the roll-ups."""
    if end is None or end.row_id:
        return end.ended_at if end else None
    days = select(func.max(JobRunDayRow.last_success)).where(JobRunDayRow.job_name == job_name)
    found: datetime | None = session.scalar(days)
    return found
