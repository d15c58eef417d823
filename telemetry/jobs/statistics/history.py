"""The history of a job's runs, combined from the roll-ups of days and, for all other times, from rows."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, or_, select
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.jobs.statistics.run_results import SUCCESS, RunEnd, RunResult
from telemetry.jobs.store.daily_totals import DAY, DailyTotals, day_of, midnight, uncovered_ranges
from telemetry.jobs.store.quantile_sketch import QuantileSketch
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

MAX_LATE_RUNS: Final = 100
"""The newest end is searched among this many rows, those that were written last: a row that is written late may have an old end."""
_FIELDS: Final = tuple(DailyTotals.__slots__)
_FAILURE_OUTCOMES: Final = (semconv.OUTCOME_TIMEOUT, semconv.OUTCOME_CANCELLED, semconv.OUTCOME_LOST)


class History:
    """The runs of one job that ended since a time, or all of them. Each method queries the database; one transaction in all."""

    def __init__(self, session: Session, job_name: str, since: datetime | None) -> None:
        self._session = session
        self._job_name = job_name
        self._since = since

    @cached_property
    def days(self) -> dict[date, DailyTotals]:
        """The totals by the day of the end of a run; days without runs are left out."""
        found = {day: totals for day, totals in self._rollups.items() if totals.ended}
        for day, totals in self._from_rows():
            found.setdefault(day, DailyTotals()).merge(totals)
        return found

    @cached_property
    def totals(self) -> DailyTotals:
        """The totals of all days."""
        totals = DailyTotals()
        for day in self.days.values():
            totals.merge(day)
        return totals

    def count_running(self) -> int:
        """How many runs are running, whenever they started."""
        return self._count(JobRunRow.status == semconv.STATUS_RUNNING)

    def count(self, result: RunResult) -> int:
        """How many runs have ended with this result."""
        return sum(result.number_in(day) for day in self.days.values())

    def count_after(self, result: RunResult, end: RunEnd) -> int:
        """How many runs have ended with this result after this end."""
        later = {day: totals for day, totals in self._rollups.items() if midnight(day) > end.ended_at}
        rows = self._count(result.matches_row(), end.precedes_row(), _within(list(later), end.ended_at))
        return rows + sum(result.number_in(totals) for totals in later.values())

    def last_end(self, result: RunResult) -> RunEnd | None:
        """The newest end of a run with this result; if only the roll-up of its day is left, the end of that day."""
        newest = self._latest_written(result.matches_row())
        ends = select(newest.c.finished_at, newest.c.id).order_by(newest.c.finished_at.desc(), newest.c.id.desc())
        found = self._session.execute(ends.limit(1)).one_or_none()
        if found is None:
            day = self._session.scalar(
                self._days(func.max(JobRunDayRow.day)).order_by(None).where(result.number_in_row() > 0)
            )
            return None if day is None else RunEnd(midnight(day + DAY) - datetime.resolution, 0)
        end = RunEnd(*found)
        return end if self._since is None or end.ended_at >= self._since else None

    def last_run(self) -> tuple[datetime, str] | None:
        """The start and the status of the newest run; None if it has no row."""
        run = JobRunRow
        ours = select(run.started_at, run.status, run.finished_at).where(run.job_name == self._job_name)
        found = self._session.execute(ours.order_by(run.id.desc()).limit(1)).one_or_none()
        if found is not None and self._since is not None and found.finished_at and found.finished_at < self._since:
            ended = ours.where(run.finished_at >= self._since).order_by(run.finished_at.desc())
            found = self._session.execute(ended.limit(1)).one_or_none()
        return None if found is None else (found.started_at, found.status)

    def percentiles(self, *percents: int) -> list[float | None]:
        """Percentiles of all durations in seconds, by nearest rank: exact if no day is rolled up, else from sketches."""
        if not any(totals.timed for totals in self._rollups.values()):
            return [self._nearest_rank(percent) for percent in percents]
        durations = self._sketch(JobRunDayRow.durations)
        return [durations.percentile(percent) for percent in percents]

    def success_durations(self) -> QuantileSketch:
        """The durations of all successes."""
        return self._sketch(JobRunDayRow.success_durations, SUCCESS.matches_row())

    def newest_successes(self, limit: int) -> list[tuple[float, datetime]]:
        """The durations and ends of the newest successes, regardless of the start of this history."""
        newest = self._latest_written(SUCCESS.matches_row())
        timed = select(newest.c.duration_seconds, newest.c.finished_at).where(newest.c.duration_seconds.is_not(None))
        found = self._session.execute(timed.order_by(newest.c.finished_at.desc()).limit(limit)).all()
        return [(seconds, ended) for seconds, ended in found]

    def _latest_written(self, condition: ColumnElement[bool]) -> Subquery:
        """The ended runs that were written last."""
        run = JobRunRow
        ours = select(run.id, run.finished_at, run.duration_seconds).where(
            run.job_name == self._job_name, run.finished_at.is_not(None), condition
        )
        return ours.order_by(run.id.desc()).limit(MAX_LATE_RUNS).subquery()

    @cached_property
    def _rollups(self) -> dict[date, DailyTotals]:
        """The roll-ups of the days that lie entirely in this history, sorted."""
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
        succeeded, failed = SUCCESS.matches_row(), run.status == semconv.STATUS_FAILED
        skipped = and_(run.status == semconv.STATUS_SUCCESS, run.outcome == semconv.OUTCOME_SKIPPED)
        day, outcome = self._day_of_rows(), func.coalesce(run.outcome, semconv.OUTCOME_ERROR)
        rows = self._rows(
            day,
            func.count().filter(succeeded),
            func.count().filter(failed, outcome.not_in(_FAILURE_OUTCOMES)),
            *(func.count().filter(failed, outcome == failure) for failure in _FAILURE_OUTCOMES),
            func.count().filter(skipped),
            func.count(run.duration_seconds),
            func.coalesce(func.sum(run.duration_seconds), 0.0),
            func.max(run.finished_at).filter(succeeded),
        ).group_by(day)
        return [(_as_date(day), DailyTotals(*values)) for day, *values in self._session.execute(rows)]

    def _nearest_rank(self, percent: int) -> float | None:
        """Counted from the longest duration, so that the database sorts only the rows that it skips."""
        timed, duration = self.totals.timed, JobRunRow.duration_seconds
        rank = (timed * percent + 99) // 100
        longest = self._rows(duration).where(duration.is_not(None)).order_by(duration.desc())
        return self._session.scalar(longest.limit(1).offset(timed - rank)) if timed else None

    def _rows(self, *columns: Any) -> Select[Any]:
        """The ended runs of the days that are not rolled up."""
        return select(*columns).where(JobRunRow.job_name == self._job_name, _within(list(self._rollups), self._since))

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        runs = select(func.count()).where(JobRunRow.job_name == self._job_name, *conditions)
        return self._session.scalar(runs) or 0

    def _day_of_rows(self) -> ColumnElement[Any]:
        ended = JobRunRow.finished_at
        is_shared = self._session.get_bind().dialect.name == "postgresql"
        return func.date(func.timezone("UTC", ended)) if is_shared else func.date(ended)


def _within(days: Sequence[date], since: datetime | None) -> ColumnElement[bool]:
    """Ended at or after this time, and on none of these days."""
    ended, conditions = JobRunRow.finished_at, []
    for time_range in uncovered_ranges(days, since):
        starts = ended.is_not(None) if time_range.since is None else ended >= time_range.since
        conditions.append(starts if time_range.until is None else and_(starts, ended < time_range.until))
    return or_(*conditions)


def _as_date(day: date | str) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else day
