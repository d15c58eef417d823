"""Writes what this process has used into `cost_days`, as increments: all processes add to the same rows."""

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import case, func, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.cost_tables import CostDayRow, CostStoreRow
from service.database.upsert import insert_into
from service.jobs.costs.write_number import WriteNumber
from service.names import DATABASE_STORE
from telemetry.costs import SERVICE, STORAGE, CostLedger, Prices
from telemetry.database import transaction

WRITE_INTERVAL: Final = timedelta(seconds=15)
"""A worker that is killed loses at most what it has used in this time."""
STORE_INTERVAL: Final = timedelta(minutes=1)
MAX_GAP: Final = timedelta(days=1)
"""Storage of a longer time in which no process ran is not counted."""
UsageKey = tuple[str, str, str]
"""Resource, kind and name."""


class CostWriter:
    """What could not be written is written the next time, once. `now` is the time by the database's clock."""

    def __init__(
        self,
        engine: Engine,
        ledger: CostLedger,
        prices: Prices,
        stores: Mapping[str, Callable[[], int]],
        now: Callable[[], datetime],
    ) -> None:
        """`stores` measures, in bytes, what takes room on the disk."""
        self._engine = engine
        self._ledger = ledger
        self._prices = prices
        self._stores = stores
        self._now = now
        self._written: dict[UsageKey, float] = {}
        self._number = WriteNumber()
        self._unconfirmed: dict[UsageKey, float] | None = None
        self._machine = platform.node()[:255]

    def write(self) -> None:
        """Write what was used since the last time.

        Raises:
            SQLAlchemyError: the database is unavailable.
        """
        usage = {key: amount for key, amount in self._ledger.usage().items() if key[0] != STORAGE}
        now = self._now()
        with transaction(self._engine) as session:
            if self._unconfirmed is not None and self._number.is_committed(session, now):
                self._written = self._unconfirmed
            self._unconfirmed = usage  # from here on, until the commit has returned
            self._number.advance(session, now)
            grown = {key: amount - self._written.get(key, 0.0) for key, amount in usage.items()}
            self._add(session, now, {key: amount for key, amount in grown.items() if amount > 0})
        self._written, self._unconfirmed = usage, None
        for name in self._stores:
            self._count_store(name)

    def _add(self, session: Session, now: datetime, amounts: Mapping[UsageKey, float]) -> None:
        """In one order, so that no two processes wait for each other."""
        if not amounts:
            return
        day = now.astimezone(UTC).date()
        rows = [
            {
                "day": day,
                "resource": resource,
                "kind": kind,
                "name": name[:255],
                "machine": self._machine,
                "amount": amount,
                "usd": self._prices.usd(resource, amount),
            }
            for (resource, kind, name), amount in sorted(amounts.items())
        ]
        session.connection().execute(_increment(session), rows)

    def _count_store(self, name: str) -> None:
        """Count the room of a store for the time since it was last counted, unless another process is first."""
        now, machine = self._now(), "" if name == DATABASE_STORE else self._machine
        with transaction(self._engine) as session:
            since = self._due_since(session, name, machine, now)
        if since is None:
            return
        size = self._stores[name]()
        with transaction(self._engine) as session:
            row = CostStoreRow
            where = (row.name == name, row.machine == machine, row.counted_until == since)
            if session.connection().execute(update(row).where(*where).values(counted_until=now)).rowcount != 1:
                return
            byte_seconds = size * max(0.0, min(now - since, MAX_GAP).total_seconds())
            self._add(session, now, {(STORAGE, SERVICE, name): byte_seconds})
        self._ledger.add_storage(name, byte_seconds)

    def _due_since(self, session: Session, name: str, machine: str, now: datetime) -> datetime | None:
        """Since when the room is not counted; None if that is less than a minute, or begins only now."""
        found = session.get(CostStoreRow, (name, machine))
        if found is None:
            insert = insert_into(session, CostStoreRow).values(name=name, machine=machine, counted_until=now)
            session.execute(insert.on_conflict_do_nothing())
            return None
        is_future = found.counted_until > now + STORE_INTERVAL  # the clock was set back
        return found.counted_until if is_future or now - found.counted_until >= STORE_INTERVAL else None


def _increment(session: Session) -> Any:
    row, insert = CostDayRow, insert_into(session, CostDayRow)
    new = insert.excluded
    usd = case((new.usd.is_(None), row.usd), else_=func.coalesce(row.usd, 0.0) + new.usd)
    return insert.on_conflict_do_update(
        index_elements=[row.day, row.resource, row.kind, row.name, row.machine],
        set_={"amount": row.amount + new.amount, "usd": usd},
    )
