"""Prunes old runs in short transactions, after rolling them up into daily totals."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, delete, select, update

from telemetry.database import transaction
from telemetry.jobs.store.daily_totals import day_of, midnight
from telemetry.jobs.store.rollups import roll_up
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

ROLLUP_RETENTION: Final = timedelta(days=731)
FIRST_BATCH: Final = 50
MAX_BATCH: Final = 100
MAX_BATCH_SECONDS: Final = 0.03
"""Rows of the first and of the largest batch; the target duration of a batch, so that no writer waits long for its lock."""
_PAUSE_SECONDS: Final = 0.01  # between two batches, for other writers
_PROGRESS_INTERVAL: Final = 30.0  # seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a call of `Retention.prune` did."""

    runs: int
    days_rolled_up: int
    longest_batch_seconds: float


class Retention:
    """Prunes whole UTC days only: a day is either in rows or in its roll-up, never half in each."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._size = FIRST_BATCH
        self._longest_batch = 0.0
        self._logged_at = 0.0

    def prune(self, job_names: Sequence[str], keep_days: int, now: datetime) -> Pruned:
        """Roll up all past days of these jobs, then delete the runs that ended more than `keep_days` days before today."""
        self._logged_at = self._clock()
        rolled = roll_up(self._engine, job_names, now, lambda days: self._log_progress("Days rolled up: %d.", days))
        first_kept = day_of(now - timedelta(days=keep_days))
        removed = sum(self._prune(job_name, midnight(first_kept)) for job_name in job_names)
        self._delete_old_rollups(now)
        return Pruned(removed, rolled, round(self._longest_batch, 3))

    def _prune(self, job_name: str, before: datetime) -> int:
        row = JobRunDayRow
        with transaction(self._engine) as session:
            session.execute(
                update(row)
                .where(row.job_name == job_name, row.day < before.date(), row.is_pruned.is_(False))
                .values(is_pruned=True)
                .execution_options(synchronize_session=False)
            )
        removed = 0
        while True:
            size = self._size
            deleted = self._delete(job_name, before, size)
            removed += deleted
            if not deleted:
                return removed
            self._log_progress("Job runs pruned, of %s: %d so far.", job_name, removed)
            self._sleep(_PAUSE_SECONDS)

    def _delete(self, job_name: str, before: datetime, size: int) -> int:
        """Delete one batch, and adapt the size of the next one to its duration. Returns how many rows were deleted."""
        run = JobRunRow
        old = select(run.id).where(run.job_name == job_name, run.finished_at < before).order_by(run.finished_at)
        with transaction(self._engine) as session:
            ids = session.scalars(old.limit(size)).all()
        started = self._clock()  # only the deletion counts: it holds the lock
        with transaction(self._engine) as session:
            deleted = session.connection().execute(delete(run).where(run.id.in_(ids))).rowcount if ids else 0
        duration = self._clock() - started
        self._longest_batch = max(self._longest_batch, duration)
        self._size = (
            max(1, size // 2)
            if duration > MAX_BATCH_SECONDS
            else min(MAX_BATCH, size * 2 if duration < MAX_BATCH_SECONDS / 4 else size)
        )
        return deleted

    def _delete_old_rollups(self, now: datetime) -> None:
        with transaction(self._engine) as session:
            session.execute(delete(JobRunDayRow).where(JobRunDayRow.day < day_of(now - ROLLUP_RETENTION)))

    def _log_progress(self, message: str, *arguments: object) -> None:
        """Log the progress of long work, at most every `_PROGRESS_INTERVAL` seconds."""
        if self._clock() - self._logged_at > _PROGRESS_INTERVAL:
            self._logged_at = self._clock()
            _log.info(message, *arguments)
