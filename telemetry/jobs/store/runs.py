"""The repository of job runs (`job_runs`). The rows that it returns are detached from any session."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import CTE, Engine, Select, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from telemetry import semconv
from telemetry.database import transaction
from telemetry.jobs.outcome import status_of
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.jobs.store import deadlines
from telemetry.jobs.store.daily_totals import day_of
from telemetry.jobs.store.rollups import invalidate_rollups
from telemetry.jobs.store.tables import JobRunRow


def utcnow() -> datetime:
    return datetime.now(UTC)


class JobRunRepository:
    """Reads and writes runs. `now` is used for heartbeats on SQLite only; several machines share PostgreSQL and use its clock."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utcnow) -> None:
        self._engine = engine
        self._now = now
        self._is_shared = engine.dialect.name == "postgresql"
        insert = _insert(engine.dialect.name)
        self._replay = _upsert(insert)
        by_its_clock = {"heartbeat_at": func.clock_timestamp(), "deadline_at": deadlines.written_deadline()}
        self._upsert = _upsert(insert.values(**by_its_clock)) if self._is_shared else self._replay

    def write(self, runs: Sequence[JobRun]) -> None:
        """Insert or update all of these runs, or none. Idempotent; a start never overwrites an end.

        Their heartbeat is the time of the write: a start that waited for the database does not make a run stale.

        Raises:
            UnwritableRunError: the database rejects the values of one of them.
        """
        if self._is_shared:
            self._write(self._upsert, runs, deadlines.parameters)
        else:
            heartbeat = {"heartbeat_at": self._now()}
            self._write(self._upsert, runs, lambda _run: heartbeat)

    def replay(self, runs: Sequence[JobRun]) -> None:
        """Like `write`, for runs of a dead process: their heartbeat is the time of their start or end."""
        self._write(self._replay, runs, lambda run: {"heartbeat_at": run.heartbeat_at})

    def check_write(self) -> None:
        """Write a run and take it back in the same transaction: no other transaction ever sees it.

        Raises:
            SQLAlchemyError: the table does not take a run.
        """
        with self._engine.connect() as connection:
            connection.execute(self._replay, [{**_row(_PROBE), "heartbeat_at": _PROBE.heartbeat_at}])
            connection.rollback()

    def _write(self, upsert: Any, runs: Sequence[JobRun], more: Callable[[JobRun], Mapping[str, object]]) -> None:
        if not runs:
            return
        try:
            with transaction(self._engine) as session:
                session.connection().execute(upsert, [{**_row(run), **more(run)} for run in _latest(runs)])
                invalidate_rollups(session, runs, day_of(self._now()))
        except Exception as error:
            if _is_bad_run(error):
                raise UnwritableRunError(str(error)) from error
            raise

    def missing(self, runs: Sequence[JobRun]) -> list[JobRun]:
        """Those of these runs that the table lacks. The end of a run that is only marked as lost counts as missing."""
        row, ids = JobRunRow, {run.run_id for run in runs}
        ended = row.finished_at.is_not(None) & (row.outcome != semconv.OUTCOME_LOST)
        with transaction(self._engine) as session:
            found = {
                run_id: bool(end)
                for run_id, end in session.execute(select(row.run_id, ended).where(row.run_id.in_(ids)))
            }
        return [
            run for run in runs if run.run_id not in found or (run.finished_at is not None and not found[run.run_id])
        ]

    def page(
        self,
        *,
        job_name: str | None = None,
        status: str | None = None,
        outcome: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[JobRunRow]:
        """One page of runs, the newest first; `before` is the id of the last run of the previous page."""
        row = JobRunRow
        of_outcome = None if outcome is None else and_(row.status == status_of(outcome), row.outcome == outcome)
        wanted = {row.job_name: job_name, row.status: status}
        conditions = [column == value for column, value in wanted.items() if value is not None]
        conditions += [] if of_outcome is None else [of_outcome]
        conditions += [] if before is None else [row.id < before]
        return self._fetch(select(row).where(*conditions).order_by(row.id.desc()).limit(limit))

    def get(self, run_id: str) -> JobRunRow | None:
        """One run; None if there is none, or it was deleted."""
        found: list[JobRunRow] = self._fetch(select(JobRunRow).where(JobRunRow.run_id == run_id))
        return found[0] if found else None

    def latest(self) -> dict[str, JobRunRow]:
        """The newest run of each job."""
        names = _job_names()
        newest = select(func.max(JobRunRow.id)).where(JobRunRow.job_name == names.c.job_name).scalar_subquery()
        rows = self._fetch(select(JobRunRow).where(JobRunRow.id.in_(select(newest).select_from(names))))
        return {row.job_name: row for row in rows}

    def running(self, job_name: str) -> JobRunRow | None:
        """The newest run of a job that has not ended; None if there is none."""
        return next(iter(self.page(job_name=job_name, status=semconv.STATUS_RUNNING, limit=1)), None)

    def running_since(self, job_name: str) -> datetime | None:
        """When that run began."""
        run = self.running(job_name)
        return None if run is None else run.started_at

    def names(self) -> list[str]:
        """The jobs that have runs, in alphabetical order."""
        names = _job_names()
        return sorted(self._fetch(select(names.c.job_name).where(names.c.job_name.is_not(None))))

    def delete_run(self, run_id: str) -> bool:
        """Delete one run. Returns whether it existed."""
        with transaction(self._engine) as session:
            return bool(session.connection().execute(delete(JobRunRow).where(JobRunRow.run_id == run_id)).rowcount)

    def _fetch(self, statement: Select[Any]) -> list[Any]:
        with transaction(self._engine) as session:
            return list(session.scalars(statement))


_PROBE: Final = JobRun(
    run_id="check-write",
    job_name="check-write",
    status=semconv.STATUS_RUNNING,
    started_at=datetime(2000, 1, 1, tzinfo=UTC),
    trace_id="",
    span_id="",
    worker="",
    heartbeat_at=datetime(2000, 1, 1, tzinfo=UTC),
)


def _latest(runs: Sequence[JobRun]) -> list[JobRun]:
    """One record per run, in the order of their starts; the end of a run replaces its start."""
    latest: dict[str, JobRun] = {}
    for run in runs:
        if run.finished_at is not None or run.run_id not in latest:
            latest[run.run_id] = run
    return list(latest.values())


_WRITTEN: Final = tuple(
    column.name for column in JobRunRow.__table__.columns if column.name not in {"id", "heartbeat_at"}
)


def _row(run: JobRun) -> dict[str, object]:
    return {name: getattr(run, name) for name in _WRITTEN}


def _insert(dialect: str) -> Any:
    return postgresql.insert(JobRunRow) if dialect == "postgresql" else sqlite.insert(JobRunRow)


def _upsert(insert: Any) -> Any:
    new = {column.name: column for column in insert.excluded if column.name not in {"id", "run_id"}}
    for name in ("overdue_at", "overdue_stack"):  # the run monitor and the heartbeat may have written them
        new[name] = func.coalesce(getattr(JobRunRow, name), insert.excluded[name])
    return insert.on_conflict_do_update(
        index_elements=["run_id"], set_=new, where=insert.excluded.finished_at.is_not(None)
    )


def _is_bad_run(error: Exception) -> bool:
    """Whether the values are at fault, not the database. Drivers, SQLAlchemy and Python raise different errors for that."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | TypeError | ValueError | OverflowError)


def _job_names() -> CTE:
    """The names of all jobs, and NULL at the end. One index lookup per job; DISTINCT would read all runs."""
    names = select(func.min(JobRunRow.job_name).label("job_name")).cte("names", recursive=True)
    following = select(func.min(JobRunRow.job_name)).where(JobRunRow.job_name > names.c.job_name).scalar_subquery()
    return names.union_all(select(following).where(names.c.job_name.is_not(None)))
