"""The runs that have started, and whose end is not in the database yet, each with its deadline by a clock that is never set."""

from collections.abc import Callable
from datetime import timedelta

from telemetry.jobs.run import JobRun


class OpenRuns:
    """Its caller holds a lock. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadlines: dict[str, float | None] = {}

    def add(self, run: JobRun) -> None:
        """Add a run that starts now."""
        limit = None if run.deadline_at is None else run.deadline_at - run.started_at
        self._deadlines[run.run_id] = None if limit is None else self._clock() + limit.total_seconds()

    def discard(self, run_id: str) -> None:
        self._deadlines.pop(run_id, None)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._deadlines

    def ids(self) -> list[str]:
        return list(self._deadlines)

    def time_left(self) -> dict[str, timedelta]:
        """How long each run with a deadline may go on; negative after that."""
        now = self._clock()
        return {
            run_id: timedelta(seconds=deadline - now)
            for run_id, deadline in self._deadlines.items()
            if deadline is not None
        }
