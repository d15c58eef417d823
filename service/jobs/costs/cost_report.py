"""What was used and what it cost within a window of days, from `cost_days`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Engine

from service.database.cost_tables import CostDayRow, CostStoreRow, CostWriteRow
from telemetry.costs import CPU, MEMORY, RESOURCES, SERVICE, STORAGE, Prices
from telemetry.database import transaction

VARIABLES: Final = {
    CPU: "COST_CPU_HOUR_USD",
    MEMORY: "COST_MEMORY_GB_HOUR_USD",
    STORAGE: "COST_STORAGE_GB_MONTH_USD",
}
KEEP: Final = timedelta(days=731)
KEEP_WRITES: Final = timedelta(days=31)
"""Longer than any process waits for its database."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one name used of one resource. `note` says what is missing; None if nothing is."""

    resource: str
    kind: str
    name: str
    amount: float | None
    usd: float | None
    note: str | None = None


@dataclass(slots=True)
class CostDay:
    """What was used on one UTC day. Money is None where there was no price."""

    day: date
    cpu_seconds: float = 0.0
    usd: float | None = None
    by_resource: dict[str, float] = field(default_factory=dict)

    def add(self, resource: str, amount: float, usd: float | None) -> None:
        if resource == CPU:
            self.cpu_seconds += amount
        if usd is not None:
            self.usd = (self.usd or 0.0) + usd
            self.by_resource[resource] = self.by_resource.get(resource, 0.0) + usd


@dataclass(frozen=True, slots=True)
class CostReport:
    """The rows with the highest cost first, and the days, the oldest first."""

    since: date
    until: date
    rows: Sequence[CostRow]
    days: Sequence[CostDay]

    @property
    def usd(self) -> float | None:
        known = [day.usd for day in self.days if day.usd is not None]
        return sum(known) if known else None


def cost_report(engine: Engine, prices: Prices, since: date, until: date) -> CostReport:
    """The costs of the days from `since` to `until`, inclusive."""
    row = CostDayRow
    columns = (row.day, row.resource, row.kind, row.name, func.sum(row.amount), func.sum(row.usd))
    with transaction(engine) as session:
        found = session.execute(
            select(*columns)
            .where(row.day >= since, row.day <= until)
            .group_by(row.day, row.resource, row.kind, row.name)
        ).all()
    days: dict[date, CostDay] = {}
    totals: dict[tuple[str, str, str], list[tuple[float, float | None]]] = defaultdict(list)
    for day, resource, kind, name, amount, usd in found:
        days.setdefault(day, CostDay(day)).add(resource, amount, usd)
        totals[resource, kind, name].append((amount, usd))
    rows = [_row(key, amounts, prices) for key, amounts in totals.items()]
    rows += _unmeasured({row.resource for row in rows}, prices)
    rows.sort(key=lambda row: (-(row.usd or 0.0), RESOURCES.index(row.resource), -(row.amount or 0.0), row.name))
    return CostReport(since, until, rows, [days[day] for day in sorted(days)])


def _row(key: tuple[str, str, str], amounts: Sequence[tuple[float, float | None]], prices: Prices) -> CostRow:
    known = [usd for _, usd in amounts if usd is not None]
    note = None
    if prices.of_unit(key[0]) is None:
        note = f"{VARIABLES[key[0]]} is not set."
    elif len(known) < len(amounts):
        note = "There was no price on some of the days."
    return CostRow(*key, amount=sum(amount for amount, _ in amounts), usd=sum(known) if known else None, note=note)


def _unmeasured(measured: set[str], prices: Prices) -> list[CostRow]:
    """A row for each price whose resource was not measured."""
    return [
        CostRow(resource, SERVICE, resource, None, None, f"{variable} is set, but the {resource} is not measured yet.")
        for resource, variable in VARIABLES.items()
        if resource not in measured and prices.of_unit(resource) is not None
    ]


def window_of(now: datetime, length: timedelta) -> tuple[date, date]:
    """The first and the last UTC day of a window that ends now."""
    return (now - min(length, KEEP)).date(), now.date()


def prune_costs(engine: Engine, now: datetime) -> int:
    """Delete the costs of days that are older than two years, and what machines that are gone have counted."""
    with transaction(engine) as session:
        session.execute(delete(CostStoreRow).where(CostStoreRow.counted_until < now - KEEP))
        session.execute(delete(CostWriteRow).where(CostWriteRow.written_at < now - KEEP_WRITES))
        old = delete(CostDayRow).where(CostDayRow.day < (now - KEEP).date())
        return int(session.connection().execute(old).rowcount)
