"""The routes of job runs: the jobs, their runs, and their statistics."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from sqlalchemy.exc import SQLAlchemyError

from telemetry.error_text import safe_text
from telemetry.jobs.run_view import JobRunView
from telemetry.jobs.statistics.summary import job_statistics
from telemetry.jobs.store.tables import JobRunRow
from telemetry.web.access import MAX_ID, Recording

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WINDOW: Final = r"^[1-9][0-9]{0,4}[smhdw]$"
router = APIRouter(prefix="/jobs")


@router.get("")
def list_jobs(telemetry: Recording) -> dict[str, list[dict[str, Any]]]:
    """Every job that has runs, with its newest one."""
    latest = _read(telemetry.jobs.store.latest)
    return {"jobs": [_summary(row) for _, row in sorted(latest.items())]}


@router.get("/status")
def list_runs(
    telemetry: Recording,
    job_name: Annotated[str | None, Query(max_length=100)] = None,
    status: Literal["running", "success", "failed"] | None = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> dict[str, list[JobRunView]]:
    """Runs, the newest first; `before` is the id of the last run of the previous page."""
    store = telemetry.jobs.store
    rows = _read(lambda: store.page(job_name=job_name, status=status, before=before, limit=limit))
    return {"runs": [JobRunView.in_list(row) for row in rows]}


@router.get("/runs/{run_id}")
def read_run(run_id: Annotated[str, Path(max_length=100)], telemetry: Recording) -> JobRunView:
    """One run, with its whole stack."""
    if (row := _read(lambda: telemetry.jobs.store.get(run_id))) is None:
        raise HTTPException(404, "There is no such run. /jobs/status lists the runs.")
    return JobRunView.model_validate(row)


@router.get("/stats/{job_name:path}")
def read_statistics(
    job_name: Annotated[str, Path(max_length=100)],
    telemetry: Recording,
    window: Annotated[str | None, Query(pattern=_WINDOW, description="such as 90m, 24h, 7d")] = None,
) -> dict[str, Any]:
    """How a job has done, over a window that ends now or over all that is kept."""
    known = _read(telemetry.jobs.store.names)
    if job_name not in known:
        raise HTTPException(404, f"There is no job {job_name!r}. There are: {', '.join(known) or 'none'}.")
    duration = timedelta(seconds=int(window[:-1]) * _UNITS[window[-1]]) if window else None
    return asdict(_read(lambda: job_statistics(telemetry.engine, job_name, window=duration)))


def _summary(row: JobRunRow) -> dict[str, Any]:
    return {"job_name": row.job_name, "last_run": row.started_at, "last_status": row.status}


def _read(query: Callable[[], Any]) -> Any:
    try:
        return query()
    except SQLAlchemyError as error:
        raise HTTPException(503, f"The database cannot be used now: {safe_text(error)}.") from None
