"""The result of a run as a condition on rows and as a column of roll-ups, and the position of a run in the order of ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, and_, func, or_, type_coerce

from telemetry import semconv
from telemetry.jobs.store.daily_totals import DailyTotals
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow


class RunEnd(NamedTuple):
    """The end of a run. Runs are ordered by it; `row_id` decides between equal times, and is 0 if the row is pruned."""

    ended_at: datetime
    row_id: int

    def precedes_row(self) -> ColumnElement[bool]:
        """The condition that the run of a row ended later."""
        run = JobRunRow
        return or_(run.finished_at > self.ended_at, and_(run.finished_at == self.ended_at, run.id > self.row_id))


@dataclass(frozen=True, slots=True)
class RunResult:
    """A status, restricted to some of its outcomes. A run without an outcome has the first one."""

    status: str
    outcomes: tuple[str, ...]

    def matches_row(self) -> ColumnElement[bool]:
        """The condition that a row has this result."""
        others = [outcome for outcome in semconv.OUTCOMES if outcome not in self.outcomes]
        outcome = func.coalesce(JobRunRow.outcome, self.outcomes[0])
        return and_(JobRunRow.status == self.status, outcome.not_in(others))

    def number_in_row(self) -> ColumnElement[int]:
        """How many runs of a roll-up have this result, as an SQL expression."""
        first, *others = (getattr(JobRunDayRow, outcome) for outcome in self.outcomes)
        return type_coerce(sum(others, start=first), Integer)

    def number_in(self, totals: DailyTotals) -> int:
        """How many of these runs have this result."""
        return sum(getattr(totals, outcome) for outcome in self.outcomes)


SUCCESS: Final = RunResult(semconv.STATUS_SUCCESS, (semconv.OUTCOME_SUCCESS,))
FAILURE: Final = RunResult(
    semconv.STATUS_FAILED, (semconv.OUTCOME_ERROR, semconv.OUTCOME_TIMEOUT, semconv.OUTCOME_LOST)
)
