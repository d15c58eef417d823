"""History: what is known of the runs of one job since a moment, put together from roll-ups and, for all other time, from rows."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, or_, select
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.jobs.store.daily_totals import DAY, DailyTotals, day_of, midnight, uncovered_ranges
from telemetry.jobs.store.quantile_sketch import QuantileSketch
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

MAX_LATE_RUNS: Final = 100
_FIELDS: Final = tuple(DailyTotals.__slots__)
_FAILURE_OUTCOMES: Final = (semconv.OUTCOME_TIMEOUT, semconv.OUTCOME_CANCELLED, semconv.OUTCOME_LOST)


class History:
    """Within one transaction. Each question is asked of the database when it is asked here."""

    def __init__(self, session: Session, job_name: str, since: datetime | None) -> None:
        self._session = session
        self._job_name = job_name
        self._since = since

    @cached_property
    def days(self) -> dict[date, DailyTotals]:
        """By the day on which they ended; days without runs are left out."""
        found = {day: totals for day, totals in self._rollups.items() if totals.ended}
        for day, totals in self._from_rows():
            found.setdefault(day, DailyTotals()).merge(totals)
        return found

    @cached_property
    def totals(self) -> DailyTotals:
        totals = DailyTotals()
        for day in self.days.values():
            totals.merge(day)
        return totals

    def count_running(self) -> int:
        return self._count(JobRunRow.status == semconv.STATUS_RUNNING)

    def count(self, status: str) -> int:
        return sum(_count(day, status) for day in self.days.values())

    def count_since(self, status: str, moment: datetime) -> int:
        """How many have ended with it since then."""
        later = {day: totals for day, totals in self._rollups.items() if midnight(day) >= moment}
        rows = self._count(JobRunRow.status == status, _within(list(later), moment))
        return rows + sum(_count(totals, status) for totals in later.values())

    def last_end(self, status: str) -> datetime | None:
        """When the newest run with this status ended; where only its day is known, the end of that."""
        newest = self._latest_written(status)
        found: datetime | None = self._session.scalar(select(func.max(newest.c.finished_at)))
        if found is not None:
            return found
        days = [day for day, totals in self._rollups.items() if _count(totals, status)]
        return midnight(max(days) + DAY) if days else None

    def last_run(self) -> tuple[datetime, str] | None:
        """When it began, and its status."""
        run = JobRunRow
        ours = select(run.started_at, run.status, run.finished_at).where(run.job_name == self._job_name)
        found = self._session.execute(ours.order_by(run.id.desc()).limit(1)).one_or_none()
        if found is not None and self._since is not None and found.finished_at and found.finished_at < self._since:
            ended = ours.where(run.finished_at >= self._since).order_by(run.finished_at.desc())
            found = self._session.execute(ended.limit(1)).one_or_none()
        return None if found is None else (found.started_at, found.status)

    def percentiles(self, *percents: int) -> list[float | None]:
        """Exact where no day is rolled up."""
        if not any(totals.timed for totals in self._rollups.values()):
            return [self._nearest_rank(percent) for percent in percents]
        durations = self._sketch(JobRunDayRow.durations)
        return [durations.percentile(percent) for percent in percents]

    def success_durations(self) -> QuantileSketch:
        return self._sketch(JobRunDayRow.success_durations, JobRunRow.status == semconv.STATUS_SUCCESS)

    def newest_successes(self, limit: int) -> list[tuple[float, datetime]]:
        """Of all time: their durations, and when they ended."""
        newest = self._latest_written(semconv.STATUS_SUCCESS)
        timed = select(newest.c.duration_seconds, newest.c.finished_at).where(newest.c.duration_seconds.is_not(None))
        found = self._session.execute(timed.order_by(newest.c.finished_at.desc()).limit(limit)).all()
        return [(seconds, ended) for seconds, ended in found]

    def _latest_written(self, status: str) -> Subquery:
        """Those that were written last: of runs that come late, the newest is not the one that ended last."""
        run = JobRunRow
        ours = select(run.finished_at, run.duration_seconds).where(run.job_name == self._job_name, run.status == status)
        return ours.order_by(run.id.desc()).limit(MAX_LATE_RUNS).subquery()

    @cached_property
    def _rollups(self) -> dict[date, DailyTotals]:
        """The days that lie in the time as a whole, in their order."""
        columns = [getattr(JobRunDayRow, name) for name in _FIELDS]
        found = self._session.execute(self._days(JobRunDayRow.day, *columns)).all()
        return {day: DailyTotals(*values) for day, *values in found}

    def _days(self, *columns: Any) -> Select[Any]:
        row, since = JobRunDayRow, self._since
        days = select(*columns).where(row.job_name == self._job_name).order_by(row.day)
        if since is None:
            return days
        first = day_of(since)
        return days.where(row.day >= (first if midnight(first) == since else first + DAY))

    def _sketch(self, column: Any, *conditions: ColumnElement[bool]) -> QuantileSketch:
        made = QuantileSketch()
        for stored in self._session.scalars(self._days(column)):
            made.merge(stored)
        for seconds in self._session.scalars(self._rows(JobRunRow.duration_seconds).where(*conditions)):
            if seconds is not None:
                made.add(seconds)
        return made

    def _from_rows(self) -> list[tuple[date, DailyTotals]]:
        run = JobRunRow
        succeeded, failed = run.status == semconv.STATUS_SUCCESS, run.status == semconv.STATUS_FAILED
        day, outcome = self._day_of_rows(), func.coalesce(run.outcome, semconv.OUTCOME_ERROR)
        rows = self._rows(
            day,
            func.count().filter(succeeded),
            func.count().filter(failed, outcome.not_in(_FAILURE_OUTCOMES)),
            *(func.count().filter(failed, outcome == failure) for failure in _FAILURE_OUTCOMES),
            func.count(run.duration_seconds),
            func.coalesce(func.sum(run.duration_seconds), 0.0),
            func.max(run.finished_at).filter(succeeded),
        ).group_by(day)
        return [(_as_date(day), DailyTotals(*values)) for day, *values in self._session.execute(rows)]

    def _nearest_rank(self, percent: int) -> float | None:
        """Counted from the longest: the database keeps no more in order than it has to skip."""
        timed, duration = self.totals.timed, JobRunRow.duration_seconds
        rank = (timed * percent + 99) // 100
        longest = self._rows(duration).where(duration.is_not(None)).order_by(duration.desc())
        return self._session.scalar(longest.limit(1).offset(timed - rank)) if timed else None

    def _rows(self, *columns: Any) -> Select[Any]:
        """Of the runs that ended on no day that is rolled up."""
        return select(*columns).where(JobRunRow.job_name == self._job_name, _within(list(self._rollups), self._since))

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        runs = select(func.count()).where(JobRunRow.job_name == self._job_name, *conditions)
        return self._session.scalar(runs) or 0

    def _day_of_rows(self) -> ColumnElement[Any]:
        ended = JobRunRow.finished_at
        is_shared = self._session.get_bind().dialect.name == "postgresql"
        return func.date(func.timezone("UTC", ended)) if is_shared else func.date(ended)


def _within(days: Sequence[date], since: datetime | None) -> ColumnElement[bool]:
    """Ended since then, and on none of these days."""
    ended, conditions = JobRunRow.finished_at, []
    for time_range in uncovered_ranges(days, since):
        starts = ended.is_not(None) if time_range.since is None else ended >= time_range.since
        conditions.append(starts if time_range.until is None else and_(starts, ended < time_range.until))
    return or_(*conditions)


def _count(totals: DailyTotals, status: str) -> int:
    return totals.success if status == semconv.STATUS_SUCCESS else totals.failed


def _as_date(day: date | str) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else day
