"""Deadlines of runs by the clock of the database, which may be another one than that of their process, or be set meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Boolean, Engine, Interval, bindparam, case, func, literal

from telemetry.database import UTCDateTime
from telemetry.jobs.run import JobRun

_TOLERANCE: Final = timedelta(seconds=2)
"""A deadline that is off by less stays as it is."""


def corrected_deadline(engine: Engine, now: Callable[[], datetime], deadline: Any, left: timedelta) -> Any:
    """A stored deadline as SQL; if the run has another time left, the moment at which it has none. `now` is used on SQLite."""
    if engine.dialect.name == "postgresql":
        return _corrected(deadline, *(_in(literal(each, Interval)) for each in _around(left)))
    return _corrected(deadline, *(literal(now() + each, UTCDateTime) for each in _around(left)))


def written_deadline() -> Any:
    """For a statement that writes runs into PostgreSQL, with `parameters`: the time that is left to a run counts from then on."""
    deadline, left = bindparam("process_deadline", type_=UTCDateTime), bindparam("time_left", type_=Interval)
    earliest, latest = (left + literal(each, Interval) for each in (-_TOLERANCE, _TOLERANCE))
    is_ended = bindparam("is_ended", type_=Boolean)
    return case((is_ended, deadline), else_=_corrected(deadline, _in(earliest), _in(left), _in(latest)))


def parameters(run: JobRun) -> dict[str, object]:
    """The parameters of `written_deadline`."""
    left = None if run.deadline_at is None else run.deadline_at - run.started_at
    return {"process_deadline": run.deadline_at, "time_left": left, "is_ended": run.finished_at is not None}


def _around(left: timedelta) -> tuple[timedelta, timedelta, timedelta]:
    return left - _TOLERANCE, left, left + _TOLERANCE


def _in(left: Any) -> Any:
    return func.clock_timestamp(type_=UTCDateTime) + left


def _corrected(deadline: Any, earliest: Any, expected: Any, latest: Any) -> Any:
    return case((deadline.between(earliest, latest), deadline), else_=expected)
