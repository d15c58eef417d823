"""The current streak of a job: how many of its newest runs in a row succeeded or failed. The API and the alerts both use it.

- Runs count in the order of their ends, whatever the order in which they started or were written.
- `error`, `timeout` and `lost` are failures of the job. A `cancelled` run was stopped from outside, usually by a shutdown of
  the service. It says nothing about the job, so it neither counts nor ends a streak. The same is true of a `skipped` run.
- If only the roll-up of a day is left, the order of its runs is unknown. A day with successes and failures then ends a streak
  without counting for it; if such a day is the newest one, the streak is unknown.
"""

from dataclasses import dataclass

from telemetry.jobs.statistics.history import History
from telemetry.jobs.statistics.run_results import FAILURE, SUCCESS, RunEnd, RunResult


@dataclass(frozen=True, slots=True)
class RunStreak:
    """How many runs ended with this status since the last one that ended with the other."""

    status: str
    runs: int


@dataclass(frozen=True, slots=True)
class StreakBounds:
    """The newest end of a success, and that of a failure: the newer one belongs to the streak, the older one precedes it."""

    success: RunEnd | None
    failure: RunEnd | None

    @property
    def result(self) -> RunResult | None:
        """The result of the runs in the streak; None if there are none, or their order is unknown."""
        if self.success == self.failure:
            return None
        is_success = self.failure is None or (self.success is not None and self.success > self.failure)
        return SUCCESS if is_success else FAILURE

    @property
    def previous(self) -> RunEnd | None:
        """The end of the last run before the streak; None if there is none."""
        return self.failure if self.result is SUCCESS else self.success


def streak_bounds(history: History) -> StreakBounds:
    """Find the bounds of the streak at the end of a history."""
    return StreakBounds(history.last_end(SUCCESS), history.last_end(FAILURE))


def count_streak(history: History, bounds: StreakBounds) -> int:
    """How many runs are in the streak, those in roll-ups included."""
    if bounds.result is None:
        return 0
    if bounds.previous is None:
        return history.count(bounds.result)
    return history.count_after(bounds.result, bounds.previous)


def current_streak(history: History) -> RunStreak | None:
    """The streak at the end of a history; None if no run has ended, or the order of the newest ones is unknown."""
    bounds = streak_bounds(history)
    return None if bounds.result is None else RunStreak(bounds.result.status, count_streak(history, bounds))
