"""The tables of jobs: `job_runs`, one row per run, `job_run_days`, the daily totals, and `job_failure_alerts`."""

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from telemetry.database import UTCDateTime


class Base(DeclarativeBase):
    """The declarative base. Constraints are named by a convention, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


_ATTEMPTS: Final = 5
_RUNNING: Final = text("finished_at IS NULL")


class TableCheck:
    """Whether a table exists. The database is asked until it does."""

    def __init__(self, engine: Engine, table: type[Base]) -> None:
        self._engine = engine
        self._table = table
        self._exists = False

    def __call__(self) -> bool:
        """Raises SQLAlchemyError if the database is unavailable."""
        self._exists = self._exists or inspect(self._engine).has_table(self._table.__tablename__)
        return self._exists


def create_tables(engine: Engine) -> None:
    """Create the tables of jobs that are missing, in one of several processes that do so at once.

    Raises:
        DBAPIError: the database refuses them, or is unavailable.
    """
    attempts, existing = 0, _existing_tables(engine)
    while True:
        try:
            return Base.metadata.create_all(engine)
        except DBAPIError:  # another process was creating the same table, so look again
            attempts, before, existing = attempts + 1, existing, _existing_tables(engine)
            if existing == before and attempts >= _ATTEMPTS:
                raise


def _existing_tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


class JobRunRow(Base):
    """A run of a job.

    `run_id` is made of the trace id and the span id, so that a run that is written twice is one row. `deadline_at` is the
    start plus `max_runtime`; `overdue_at` is set when the run exceeded it. `slowest_child` is the name of the child spans with
    the largest total self time, and `first_error` describes the first child span that failed. `overdue_stack` is what the run
    executed when it became overdue.
    the largest total self time, and `first_error` describes the first child span that failed. `cpu_seconds` is the CPU time of the
    threads that worked for the run, and `cost_usd` that time at its price, with what other services charged; both are NULL if
    they were not measured.
    """

    __tablename__ = "job_runs"
    __table_args__ = (
        Index("ix_job_runs_job_name_id", "job_name", "id"),
        Index("ix_job_runs_status_id", "status", "id"),
        Index("ix_job_runs_job_name_status_id", "job_name", "status", "id"),
        Index("ix_job_runs_job_name_finished_at", "job_name", "finished_at"),
        Index("ix_job_runs_running", "heartbeat_at", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
    )

    # SQLite assigns ids only to a key of the type INTEGER.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    job_name: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    status: Mapped[str] = mapped_column(String(20))
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    error_message: Mapped[str | None] = mapped_column(String(500))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    run_id: Mapped[str] = mapped_column(String(64), unique=True)
    trace_id: Mapped[str] = mapped_column(String(32))
    span_id: Mapped[str] = mapped_column(String(16))
    scheduled_for: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worker: Mapped[str] = mapped_column(String(255))
    heartbeat_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str | None] = mapped_column(String(20))
    deadline_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    overdue_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    slowest_child: Mapped[str | None] = mapped_column(String(255))
    slowest_child_seconds: Mapped[float | None] = mapped_column(Float)
    first_error: Mapped[str | None] = mapped_column(String(255))
    overdue_stack: Mapped[str | None] = mapped_column(Text)
    cpu_seconds: Mapped[float | None] = mapped_column(Float)
    cost_usd: Mapped[float | None] = mapped_column(Float)


class JobRunDayRow(Base):
    """The totals of a job's runs that ended on one UTC day; kept when the runs are pruned.

    `durations` and `success_durations` are quantile sketches (`telemetry.jobs.store.quantile_sketch`) of all durations and of
    those of successful runs. `seconds` is the sum of all durations. `is_pruned`: the rows of this day are, or are being, deleted.
    """

    __tablename__ = "job_run_days"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    success: Mapped[int] = mapped_column(Integer)
    error: Mapped[int] = mapped_column(Integer)
    timeout: Mapped[int] = mapped_column(Integer)
    cancelled: Mapped[int] = mapped_column(Integer)
    lost: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer, server_default="0")
    timed: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    last_success: Mapped[datetime | None] = mapped_column(UTCDateTime)
    durations: Mapped[dict[str, Any]] = mapped_column(JSON)
    success_durations: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_pruned: Mapped[bool] = mapped_column(Boolean)


class JobFailureAlertRow(Base):
    """The alert about the failures of a job in a row: which ones, and whether a machine has sent it.

    `last_success` is when the success before them ended, and `claimed_until` the time until which the machine that is about to
    tell keeps the others from it. `told_at` is set when a channel accepted its message.
    """

    __tablename__ = "job_failure_alerts"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_success: Mapped[datetime | None] = mapped_column(UTCDateTime)
    claimed_until: Mapped[datetime] = mapped_column(UTCDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
