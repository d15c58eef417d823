"""Store: the table `job_runs` in the words of jobs. The rows that it gives out belong to no session."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import CTE, Engine, Select, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from telemetry import semconv as names
from telemetry.database import transaction
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.jobs.store.daily_totals import day_of
from telemetry.jobs.store.rollups import invalidate_rollups
from telemetry.jobs.store.tables import JobRunRow


def utcnow() -> datetime:
    return datetime.now(UTC)


class JobRunRepository:
    """`now` gives the sign of life of a run on SQLite; PostgreSQL, which several machines share, has a clock of its own."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utcnow) -> None:
        self._engine = engine
        self._now = now
        self._is_shared = engine.dialect.name == "postgresql"
        insert = _insert(engine.dialect.name)
        self._replay = _upsert(insert)
        self._upsert = _upsert(insert.values(heartbeat_at=func.clock_timestamp())) if self._is_shared else self._replay

    def write(self, runs: Sequence[JobRun]) -> None:
        """Write all of them or none, as often as one likes; a start never overwrites an end.

        A run was alive when it is written: that its start had to wait for the database is no silence.

        Raises:
            UnwritableRunError: the database is there, and refuses what one of them holds.
        """
        heartbeat = {} if self._is_shared else {"heartbeat_at": self._now()}
        self._write(self._upsert, runs, lambda _run: heartbeat)

    def replay(self, runs: Sequence[JobRun]) -> None:
        """The same for runs of a process that is gone: nobody has heard of them since they began, or ended."""
        self._write(self._replay, runs, lambda run: {"heartbeat_at": run.heartbeat_at})

    def _write(self, upsert: Any, runs: Sequence[JobRun], heartbeat: Callable[[JobRun], dict[str, datetime]]) -> None:
        if not runs:
            return
        try:
            with transaction(self._engine) as session:
                session.connection().execute(upsert, [{**_row(run), **heartbeat(run)} for run in _latest(runs)])
                invalidate_rollups(session, runs, day_of(self._now()))
        except Exception as error:
            if _is_bad_run(error):
                raise UnwritableRunError(str(error)) from error
            raise

    def missing(self, runs: Sequence[JobRun]) -> list[JobRun]:
        """Those that the table lacks; of an end, also where its run only seems to have ended."""
        row, ids = JobRunRow, {run.run_id for run in runs}
        ended = row.finished_at.is_not(None) & (row.outcome != names.OUTCOME_LOST)
        with transaction(self._engine) as session:
            found = {
                run_id: bool(end)
                for run_id, end in session.execute(select(row.run_id, ended).where(row.run_id.in_(ids)))
            }
        return [
            run for run in runs if run.run_id not in found or (run.finished_at is not None and not found[run.run_id])
        ]

    def page(
        self, *, job_name: str | None = None, status: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[JobRunRow]:
        """The newest runs first; `before` is the id of the last one of the page before."""
        page = select(JobRunRow).order_by(JobRunRow.id.desc()).limit(limit)
        if job_name is not None:
            page = page.where(JobRunRow.job_name == job_name)
        if status is not None:
            page = page.where(JobRunRow.status == status)
        if before is not None:
            page = page.where(JobRunRow.id < before)
        return self._fetch(page)

    def latest(self) -> dict[str, JobRunRow]:
        """The newest run of each job."""
        names = _job_names()
        newest = select(func.max(JobRunRow.id)).where(JobRunRow.job_name == names.c.job_name).scalar_subquery()
        rows = self._fetch(select(JobRunRow).where(JobRunRow.id.in_(select(newest).select_from(names))))
        return {row.job_name: row for row in rows}

    def names(self) -> list[str]:
        """The jobs that have runs, in alphabetical order."""
        names = _job_names()
        return sorted(self._fetch(select(names.c.job_name).where(names.c.job_name.is_not(None))))

    def delete_run(self, run_id: str) -> bool:
        """Delete one run; whether it was there."""
        with transaction(self._engine) as session:
            return bool(session.connection().execute(delete(JobRunRow).where(JobRunRow.run_id == run_id)).rowcount)

    def _fetch(self, statement: Select[Any]) -> list[Any]:
        with transaction(self._engine) as session:
            return list(session.scalars(statement))


def _latest(runs: Sequence[JobRun]) -> list[JobRun]:
    """One a run, in the order in which they began; its end, when that is among them."""
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
    new["overdue_at"] = func.coalesce(JobRunRow.overdue_at, insert.excluded.overdue_at)
    return insert.on_conflict_do_update(
        index_elements=["run_id"], set_=new, where=insert.excluded.finished_at.is_not(None)
    )


def _is_bad_run(error: Exception) -> bool:
    """The values are at fault, not the database: a driver says it in its way, and SQLAlchemy and Python in theirs."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | TypeError | ValueError | OverflowError)


def _job_names() -> CTE:
    """Each job's name, and in the end NULL: one look into the index for each, where DISTINCT would read all the runs."""
    names = select(func.min(JobRunRow.job_name).label("job_name")).cte("names", recursive=True)
    following = select(func.min(JobRunRow.job_name)).where(JobRunRow.job_name > names.c.job_name).scalar_subquery()
    return names.union_all(select(following).where(names.c.job_name.is_not(None)))
