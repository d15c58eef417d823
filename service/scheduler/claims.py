"""Claims of ticks: each scheduled run is executed by exactly one process, and runs of one job do not overlap."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import case, false, func, literal, or_, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.clock import CLOCK_TOLERANCE, database_now
from service.database.schedule_tables import ScheduleClaimRow
from service.scheduler.pauses import is_paused
from telemetry.database import UTCDateTime, transaction
from telemetry.health import DatabaseCheck

LEASE_SECONDS: Final = 30.0
"""How long the run of a killed process still keeps the next run from starting."""
_LEASE_TOLERANCE: Final = 1.0
_NO_TICK: Final = datetime(1970, 1, 1, tzinfo=UTC)
ClaimResult = Literal["claimed", "overlaps", "lost", "paused"]


class Claims:
    """Claims in the database, by its clock. Each job has one row: its last claimed tick and the lease of its current run.

    The last claimed tick only moves forwards, unless the clock was set back: a tick in the future does not count, and a lease
    is cut to its full length from now on.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], float] = time.time, *, check_engine: Engine | None = None
    ) -> None:
        """`check_engine` is for `check`, which must not wait for the connections of claims."""
        self._engine = engine
        self._clock = clock
        self._check_engine = check_engine or engine
        self._check_database = DatabaseCheck(self._check_engine)
        self._dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite

    def claim_tick(self, job_name: str, tick: datetime, owner: str, *, overlaps: bool = False) -> ClaimResult:
        """Claim a tick for a run.

        Args:
            job_name: the job.
            tick: when the run is due.
            owner: the run, by a name that no other run has: see `new_owner`.
            overlaps: whether the run may start while the previous one is active.

        Returns:
            `claimed`: the caller runs it. `lost`: another process claimed this tick or a later one.
            `overlaps`: the previous run is active, so the tick is skipped; exactly one of all claimants gets this answer.
            `paused`: a person has paused the job. Nothing is claimed.
        """
        insert = self._tick_claim(job_name, tick, owner, overlaps=overlaps)
        with transaction(self._engine) as session:
            self._cut_lease(session, job_name)  # with SQLite, nobody else writes from here on
            if is_paused(session, job_name):
                return "paused"
            # Not by `rowcount`: SQLAlchemy does not keep it for an INSERT.
            current_owner: str | None = session.scalar(insert.returning(ScheduleClaimRow.holder))
        if current_owner is None:
            return "lost"
        return "claimed" if current_owner == owner else "overlaps"

    def claim_manual_run(self, job_name: str, owner: str) -> bool:
        """Claim a run outside the schedule. False while another run is active."""
        insert = self._dialect.insert(ScheduleClaimRow).values(
            job_name=job_name, last_tick=_NO_TICK, holder=owner, held_until=self._lease_end()
        )
        statement = insert.on_conflict_do_update(
            index_elements=[ScheduleClaimRow.job_name],
            set_={"holder": owner, "held_until": insert.excluded.held_until},
            where=self._is_free(),
        )
        with transaction(self._engine) as session:
            self._cut_lease(session, job_name)
            return session.scalar(statement.returning(ScheduleClaimRow.job_name)) is not None

    def renew(self, job_name: str, owner: str) -> bool:
        """Renew the lease of an active run. False if it had expired and another run has claimed the job."""
        return self._update_owned(job_name, owner, {"held_until": self._lease_end()})

    def release(self, job_name: str, owner: str) -> None:
        """End the lease of a run. Does nothing if the run no longer has it."""
        self._update_owned(job_name, owner, {"holder": None, "held_until": None})

    def check(self) -> None:
        """Raise unless a run can be claimed. No row is changed."""
        self._check_database()
        self._update_owned("", "", {"holder": None}, self._check_engine)

    def _tick_claim(self, job_name: str, tick: datetime, owner: str, *, overlaps: bool) -> Any:
        """Claims the tick, and the lease too if that is free. Changes no row if the tick was claimed before."""
        insert = self._dialect.insert(ScheduleClaimRow).values(
            job_name=job_name, last_tick=tick, holder=owner, held_until=self._lease_end()
        )
        free = or_(self._is_free(), true() if overlaps else false())
        return insert.on_conflict_do_update(
            index_elements=[ScheduleClaimRow.job_name],
            set_={
                "last_tick": insert.excluded.last_tick,
                "holder": case((free, insert.excluded.holder), else_=ScheduleClaimRow.holder),
                "held_until": case((free, insert.excluded.held_until), else_=ScheduleClaimRow.held_until),
            },
            where=or_(ScheduleClaimRow.last_tick < tick, ScheduleClaimRow.last_tick > self._latest_tick()),
        )

    def _is_free(self) -> Any:
        return or_(ScheduleClaimRow.held_until.is_(None), ScheduleClaimRow.held_until < self._now())

    def _cut_lease(self, session: Session, job_name: str) -> None:
        """No lease is longer than `LEASE_SECONDS`, except one from before the clock was set back."""
        row = ScheduleClaimRow
        is_too_long = row.held_until > self._lease_end() + _LEASE_TOLERANCE
        session.execute(
            update(row)
            .where(row.job_name == job_name, is_too_long)
            .values(held_until=self._lease_end())
            .execution_options(synchronize_session=False)
        )

    def _latest_tick(self) -> Any:
        """The last tick that can have been claimed by the clock as it is now."""
        if self._engine.dialect.name == "postgresql":
            return func.clock_timestamp(type_=UTCDateTime) + literal(CLOCK_TOLERANCE)
        return literal(datetime.fromtimestamp(self._clock(), UTC) + CLOCK_TOLERANCE, UTCDateTime)

    def _now(self) -> Any:
        return database_now(self._engine, self._clock)

    def _lease_end(self) -> Any:
        return self._now() + LEASE_SECONDS

    def _update_owned(self, job_name: str, owner: str, values: Mapping[str, Any], engine: Engine | None = None) -> bool:
        owned = update(ScheduleClaimRow).where(ScheduleClaimRow.job_name == job_name, ScheduleClaimRow.holder == owner)
        with transaction(engine or self._engine) as session:
            return session.scalar(owned.values(values).returning(ScheduleClaimRow.job_name)) is not None


def new_owner() -> str:
    return uuid.uuid4().hex
