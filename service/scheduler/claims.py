"""Claims: of all processes and machines that share a database, one runs a tick, and no two runs of a job overlap."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import case, false, or_, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from service.database.clock import database_now
from service.database.tables import ScheduleClaim
from telemetry.database import transaction

LEASE_SECONDS: Final = 30.0
"""Seconds after which the run of a killed process no longer keeps the next one from beginning."""
_NO_TICK: Final = datetime(1970, 1, 1, tzinfo=UTC)
ClaimResult = Literal["mine", "running", "taken"]


class Claims:
    """Each job has one row: the tick that was last claimed, which only moves forwards, and the run that goes on."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite

    def take(self, job_name: str, tick: datetime, holder: str, *, overlaps: bool = False) -> ClaimResult:
        """Claim a tick: `mine` to be run, `taken` by somebody else, or, since the run before it goes on, to be passed over.

        A tick is claimed in either case: of all who come for it, one is told that it is `running`.
        """
        claimed = self._claim(job_name, tick, holder, ScheduleClaim.last_tick < tick, overlaps=overlaps)
        if claimed is None:
            return "taken"
        return "mine" if claimed == holder else "running"

    def hold(self, job_name: str, holder: str) -> bool:
        """Begin a run that no tick asked for. False while another one goes on."""
        insert = self._dialect.insert(ScheduleClaim).values(
            job_name=job_name, last_tick=_NO_TICK, holder=holder, held_until=self._until()
        )
        statement = insert.on_conflict_do_update(
            index_elements=[ScheduleClaim.job_name],
            set_={"holder": holder, "held_until": insert.excluded.held_until},
            where=self._free(),
        )
        with transaction(self._engine) as session:
            return session.scalar(statement.returning(ScheduleClaim.job_name)) is not None

    def extend(self, job_name: str, holder: str) -> bool:
        """The run goes on. False when it is no longer the one that counts: its lease was over, and another one has begun."""
        return self._change(job_name, holder, {"held_until": self._until()})

    def release(self, job_name: str, holder: str) -> None:
        self._change(job_name, holder, {"holder": None, "held_until": None})

    def _claim(self, job_name: str, tick: datetime, holder: str, due: Any, *, overlaps: bool) -> str | None:
        insert = self._dialect.insert(ScheduleClaim).values(
            job_name=job_name, last_tick=tick, holder=holder, held_until=self._until()
        )
        free = or_(self._free(), true() if overlaps else false())
        statement = insert.on_conflict_do_update(
            index_elements=[ScheduleClaim.job_name],
            set_={
                "last_tick": insert.excluded.last_tick,
                "holder": case((free, insert.excluded.holder), else_=ScheduleClaim.holder),
                "held_until": case((free, insert.excluded.held_until), else_=ScheduleClaim.held_until),
            },
            where=due,
        )
        with transaction(self._engine) as session:
            # Not by `rowcount`, which SQLAlchemy does not keep of an INSERT.
            claimed: str | None = session.scalar(statement.returning(ScheduleClaim.holder))
            return claimed

    def _free(self) -> Any:
        return or_(ScheduleClaim.held_until.is_(None), ScheduleClaim.held_until < self._now())

    def _now(self) -> Any:
        return database_now(self._engine, self._clock)

    def _until(self) -> Any:
        return self._now() + LEASE_SECONDS

    def _change(self, job_name: str, holder: str, values: Mapping[str, Any]) -> bool:
        ours = update(ScheduleClaim).where(ScheduleClaim.job_name == job_name, ScheduleClaim.holder == holder)
        with transaction(self._engine) as session:
            return session.scalar(ours.values(values).returning(ScheduleClaim.job_name)) is not None


def new_owner() -> str:
    return uuid.uuid4().hex
