"""The tables of the scheduler: claims of ticks, watermarks of the run monitor, missed runs, suspended and paused jobs."""

from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.database.columns import ROW_ID
from telemetry.database import UTCDateTime
from telemetry.jobs import Base


class ScheduleClaimRow(Base):
    """The last claimed tick of a job, and the lease of its current run.

    Attributes:
        holder: the owner of the lease: the active run, or the last run of a killed process.
        held_until: when the lease expires unless it is renewed, in Unix seconds by the database's clock.
    """

    __tablename__ = "schedule_claims"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    holder: Mapped[str | None] = mapped_column(String(40))
    held_until: Mapped[float | None]


class ScheduleWatchRow(Base):
    """How far the ticks of a job have been evaluated, and the last heartbeat of a scheduler that runs the job.

    Attributes:
        cadence: as text; when it changes, evaluation starts again from then.
        watched_until: the ticks up to this time are evaluated.
        seen_at: the last heartbeat of any process that runs the job.
        back_at: when a scheduler was running again after the last downtime.
    """

    __tablename__ = "schedule_watch"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    cadence: Mapped[str] = mapped_column(String(200))
    watched_until: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    back_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class MissedRunRow(Base):
    """Ticks of a job without a run. `kind` is `missed`, or `downtime` if no scheduler was running."""

    __tablename__ = "missed_runs"
    __table_args__ = (Index("ix_missed_runs_job_name_id", "job_name", "id"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    job_name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    first_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    last_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    ticks: Mapped[int] = mapped_column(Integer)
    noticed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class JobSuspensionRow(Base):
    """A job that is switched off, because a service does not let this seller use what the job needs.

    Attributes:
        since: when it was switched off.
        retry_at: its first run after this time tries again.
    """

    __tablename__ = "job_suspensions"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    reason: Mapped[str] = mapped_column(String(500))
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    retry_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PausedJobRow(Base):
    """A job that a person has paused: no scheduler starts its ticks.

    Attributes:
        paused_by: who asked for it.
        remind_at: when the next alert about the pause is due.
    """

    __tablename__ = "paused_jobs"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    paused_at: Mapped[datetime] = mapped_column(UTCDateTime)
    paused_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500))
    remind_at: Mapped[datetime] = mapped_column(UTCDateTime)
