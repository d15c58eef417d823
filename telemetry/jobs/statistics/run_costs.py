"""What the runs of a job used and cost, from their rows. The roll-ups of past days have no costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from telemetry.jobs.store.tables import JobRunRow

DEAREST: Final = 5


@dataclass(frozen=True, slots=True)
class DearRun:
    """A run that cost more than others."""

    run_id: str
    started_at: datetime
    cpu_seconds: float | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class RunCosts:
    """The runs whose CPU time was measured. Money is None where no run has a cost. Percentiles are by nearest rank."""

    measured_runs: int = 0
    total_cpu_seconds: float = 0.0
    mean_cpu_seconds: float | None = None
    p95_cpu_seconds: float | None = None
    total_cost_usd: float | None = None
    mean_cost_usd: float | None = None
    p95_cost_usd: float | None = None
    dearest: Sequence[DearRun] = ()


NO_COSTS: Final = RunCosts()


def run_costs(session: Session, job_name: str, since: datetime | None) -> RunCosts:
    """The costs of the runs that ended since a time, or of all."""
    run = JobRunRow
    ended = (run.job_name == job_name, run.finished_at.is_not(None) if since is None else run.finished_at >= since)
    measured, cpu, mean_cpu, priced, cost, mean_cost = session.execute(
        select(
            func.count(run.cpu_seconds),
            func.coalesce(func.sum(run.cpu_seconds), 0.0),
            func.avg(run.cpu_seconds),
            func.count(run.cost_usd),
            func.sum(run.cost_usd),
            func.avg(run.cost_usd),
        ).where(*ended)
    ).one()
    return RunCosts(
        measured_runs=measured,
        total_cpu_seconds=cpu,
        mean_cpu_seconds=mean_cpu,
        p95_cpu_seconds=_p95(session, run.cpu_seconds, measured, ended),
        total_cost_usd=cost,
        mean_cost_usd=mean_cost,
        p95_cost_usd=_p95(session, run.cost_usd, priced, ended),
        dearest=_dearest(session, run.cost_usd if priced else run.cpu_seconds, ended),
    )


_Conditions = tuple[ColumnElement[bool], ...]
_Amount = InstrumentedAttribute[float | None]


def _p95(session: Session, column: _Amount, number: int, ended: _Conditions) -> float | None:
    largest = select(column).where(*ended, column.is_not(None)).order_by(column.desc())
    rank = (number * 95 + 99) // 100
    return session.scalar(largest.limit(1).offset(number - rank)) if number else None


def _dearest(session: Session, column: _Amount, ended: _Conditions) -> tuple[DearRun, ...]:
    run = JobRunRow
    columns: tuple[Any, ...] = (run.run_id, run.started_at, run.cpu_seconds, run.cost_usd)
    found = session.execute(
        select(*columns).where(*ended, column.is_not(None)).order_by(column.desc(), run.id).limit(DEAREST)
    )
    return tuple(DearRun(*values) for values in found)
