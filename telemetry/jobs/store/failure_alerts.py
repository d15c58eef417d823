"""Which machine tells that a job fails in a row: one claims it in the database until a channel has accepted its message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, and_, func, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from telemetry.database import UTCDateTime, transaction
from telemetry.jobs.store.runs import utcnow
from telemetry.jobs.store.tables import JobFailureAlertRow, TableCheck

CLAIM_LENGTH: Final = timedelta(minutes=2)
"""The time for which a machine that has not told yet keeps the others from it, since it claimed or renewed that last."""
_TOLERANCE: Final = timedelta(seconds=30)
"""A claim that ends later than its length and so much was made before the clock was set back."""
_RENEW_BELOW: Final = CLAIM_LENGTH / 2


@dataclass(frozen=True, slots=True)
class FailureClaim:
    """`last_success` is the end of the success before the failures, `is_told` whether a channel accepted a message of them."""

    last_success: datetime | None
    is_told: bool
    is_fresh: bool

    def is_of(self, last_success: datetime | None) -> bool:
        """Whether it is about the failures since this success. None: there was none, or its row is pruned by now."""
        return last_success is None or self.last_success == last_success


class FailureClaims:
    """The repository of `job_failure_alerts`. Claims go by the database's clock; `now` is used on SQLite.

    While the table is missing, each machine tells.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utcnow) -> None:
        self._engine = engine
        self._now = now
        self._has_table = TableCheck(engine, JobFailureAlertRow)

    def read(self) -> dict[str, FailureClaim]:
        """The claims by job.

        Raises:
            SQLAlchemyError: the database is unavailable, as in the other methods.
        """
        if not self._has_table():
            return {}
        row = JobFailureAlertRow
        columns = (row.job_name, row.last_success, row.told_at.is_not(None), ~self._ends_within(_RENEW_BELOW))
        with transaction(self._engine) as session:
            return {name: FailureClaim(*values) for name, *values in session.execute(select(*columns))}

    def claim(self, job_name: str, last_success: datetime | None) -> bool:
        """Claim the failures since this success. Returns whether this machine is to tell of them."""
        row = JobFailureAlertRow
        is_free = and_(row.told_at.is_(None), self._ends_within(timedelta(0)))
        if last_success is not None:
            is_free = or_(is_free, row.last_success.is_distinct_from(last_success))
        return self._write(job_name, last_success, None, is_free)

    def renew(self, job_name: str, last_success: datetime | None) -> None:
        """Keep the others from telling for another while, unless one has told."""
        row = JobFailureAlertRow
        is_same = true() if last_success is None else row.last_success == last_success
        self._write(job_name, last_success, None, or_(row.told_at.is_(None), ~is_same))

    def mark_told(self, job_name: str, last_success: datetime | None) -> None:
        """Note that a channel accepted the message."""
        self._write(job_name, last_success, self._in(timedelta(0)), true())

    def _write(self, job_name: str, last_success: datetime | None, told_at: Any, where: ColumnElement[bool]) -> bool:
        """Insert the row, or update it where that holds. Returns whether either was done."""
        if not self._has_table():
            return True
        row = JobFailureAlertRow
        values = {"last_success": last_success, "claimed_until": self._in(CLAIM_LENGTH), "told_at": told_at}
        insert = (postgresql if self._is_shared else sqlite).insert(row).values(job_name=job_name, **values)
        with transaction(self._engine) as session:
            if session.connection().execute(update(row).where(row.job_name == job_name, where).values(values)).rowcount:
                return True
            inserted = insert.on_conflict_do_nothing().returning(row.job_name)
            return session.connection().execute(inserted).first() is not None

    def _ends_within(self, left: timedelta) -> ColumnElement[bool]:
        """Whether a claim has no more time left than this, or more than a claim has."""
        until = JobFailureAlertRow.claimed_until
        return or_(until <= self._in(left), until > self._in(CLAIM_LENGTH + _TOLERANCE))

    def _in(self, left: timedelta) -> Any:
        """That time from now on, by the clock of the database."""
        if self._is_shared:
            return func.clock_timestamp(type_=UTCDateTime) + literal(left)
        return literal(self._now() + left, UTCDateTime)

    @property
    def _is_shared(self) -> bool:
        return self._engine.dialect.name == "postgresql"
