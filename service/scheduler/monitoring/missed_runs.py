"""Repository of the table `missed_runs`: the ticks that no run started for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, func, select
from sqlalchemy.engine import Engine

from service.database.schedule_tables import MissedRunRow
from telemetry.database import transaction

LAST_DAY: Final = timedelta(days=1)
MAX_LISTED: Final = 1000
MISSED: Final = "missed"
DOWNTIME: Final = "downtime"
"""No scheduler was running."""


@dataclass(frozen=True, slots=True)
class MissedRuns:
    """The missed ticks of one job.

    Attributes:
        missed: how many ticks a running scheduler did not start.
        downtime: how many ticks came while no scheduler was running.
        last_missed: the last tick that a running scheduler did not start, however long ago.
    """

    missed: int = 0
    downtime: int = 0
    last_missed: datetime | None = None


NO_MISSED_RUNS: Final = MissedRuns()


def missed_runs(engine: Engine, since: datetime) -> dict[str, MissedRuns]:
    """The missed ticks that were noticed since then, by job name. Jobs without any, ever, are left out."""
    row = MissedRunRow
    recent = func.coalesce(func.sum(case((row.noticed_at >= since, row.ticks), else_=0)), 0)
    with transaction(engine) as session:
        found = session.execute(
            select(row.job_name, row.kind, recent, func.max(row.last_tick)).group_by(row.job_name, row.kind)
        ).all()
    kinds = {(name, kind): (int(ticks), last) for name, kind, ticks, last in found}
    return {name: _missed_runs_of(name, kinds) for name in {name for name, _ in kinds}}


def missed_since(engine: Engine, since: datetime, limit: int = MAX_LISTED) -> list[MissedRunRow]:
    """The newest rows whose last tick was since then, at most `limit`, the newest first."""
    row = MissedRunRow
    newest = select(row).order_by(row.id.desc()).limit(limit).subquery()
    found = select(row).where(row.id.in_(select(newest.c.id)), row.last_tick >= since).order_by(row.id.desc())
    with transaction(engine) as session:
        return list(session.scalars(found))


def prune(engine: Engine, before: datetime) -> int:
    """Delete the rows that were noticed before then. Returns how many."""
    with transaction(engine) as session:
        return int(session.connection().execute(delete(MissedRunRow).where(MissedRunRow.noticed_at < before)).rowcount)


def _missed_runs_of(name: str, kinds: dict[tuple[str, str], tuple[int, datetime]]) -> MissedRuns:
    missed, last = kinds.get((name, MISSED), (0, None))
    downtime, _ = kinds.get((name, DOWNTIME), (0, None))
    return MissedRuns(missed, downtime, last)
