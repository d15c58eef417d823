"""The queries of `/jobs/stats`, `/jobs/status` and `/jobs`, on tables as large as a service has after years.

The rows are those of 50 jobs over 90 days; all days but today are rolled up. It also measures the cost of recording a run, and
the longest time that a batch of the pruning holds its lock.
"""

import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from sqlalchemy import delete, text
from sqlalchemy.engine import Engine

from bench.databases import DATABASES
from bench.progress import say
from bench.table import Table
from service.database import migrations
from telemetry.database import create_engine
from telemetry.jobs.run import JobRun
from telemetry.jobs.statistics.summary import job_statistics
from telemetry.jobs.store.retention import Retention
from telemetry.jobs.store.rollups import roll_up
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

SIZES = {"SQLite": (10_000, 1_000_000), "PostgreSQL": (10_000, 1_000_000, 10_000_000)}
QUICK = 10_000
JOBS, DAYS = 50, 90
_QUERIES, _RECORDED = 60, 200
_ROW_BYTES = 800  # with its share of all indexes, and of the log that is written meanwhile
_CHUNK = 500_000
_COLUMNS = (
    "job_name, started_at, finished_at, status, outcome, duration_seconds, metadata, run_id, trace_id, span_id, worker, "
    "heartbeat_at"
)
# A failure in a hundred, and durations from 0.1 to 60 seconds.
_SQLITE = f"""
INSERT INTO job_runs ({_COLUMNS})
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last)
SELECT 'job_' || (n % :jobs), datetime(:begin, '+' || (n * :step) || ' seconds') || '.000000',
       datetime(:begin, '+' || (n * :step + 1) || ' seconds') || '.000000',
       CASE WHEN (n / :jobs) % 100 = 99 THEN 'failed' ELSE 'success' END,
       CASE WHEN (n / :jobs) % 100 = 99 THEN 'error' ELSE 'success' END,
       0.1 + abs(random() % 599000) / 10000.0, '{{}}', printf('%048x', n), printf('%032x', n), printf('%016x', n), 'host:1',
       datetime(:begin, '+' || (n * :step) || ' seconds') || '.000000'
FROM numbers
"""  # noqa: S608  # the columns above
_POSTGRESQL = f"""
INSERT INTO job_runs ({_COLUMNS})
SELECT 'job_' || (n % :jobs), begins, begins + interval '1 second',
       CASE WHEN (n / :jobs) % 100 = 99 THEN 'failed' ELSE 'success' END,
       CASE WHEN (n / :jobs) % 100 = 99 THEN 'error' ELSE 'success' END,
       0.1 + random() * 59.9, '{{}}', lpad(to_hex(n), 48, '0'), lpad(to_hex(n), 32, '0'), lpad(to_hex(n), 16, '0'), 'host:1',
       begins
FROM (SELECT n, cast(:begin AS timestamptz) + n * :step * interval '1 second' AS begins
      FROM generate_series(:first, :last - 1) AS n) AS numbers
"""  # noqa: S608  # the columns above


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        "Statistics: p50 / p95 in ms of what is asked, by the number of rows",
        ["", "stats", "stats, 7 d", "status", "of a job", "failed, of a job", "jobs", "record", "longest batch"],
        f"{JOBS} jobs over {DAYS} days; record: one run, its start and its end in two transactions; longest batch: of pruning a ninth",
    )
    for name, open_database in DATABASES.items():
        with open_database(_create(directory / f"statistics-{name}")) as url:
            engine = create_engine(url)
            migrations.migrate(engine)
            for size in (QUICK,) if quick else SIZES[name]:
                if shutil.disk_usage(directory).free < 2 * size * _ROW_BYTES:
                    table.add(f"{name}, {size:,} rows", "skipped: too little room on the disk")
                    continue
                fill(engine, size)
                table.add(f"{name}, {size:,} rows", *_cells(engine, name, size))
            engine.dispose()
    yield table


def _create(directory: Path) -> Path:
    directory.mkdir()
    return directory


def fill(engine: Engine, size: int, jobs: int = JOBS) -> None:
    """Replace all rows: those of each size are spread over all days."""
    with engine.begin() as connection:
        for row in (JobRunRow, JobRunDayRow):
            connection.execute(delete(row))
    begin, step = datetime.now(UTC) - timedelta(days=DAYS), DAYS * 86_400 / size
    shared = engine.dialect.name == "postgresql"
    for start in range(0, size, _CHUNK):
        say("statistics", f"{engine.dialect.name}: {start:,} of {size:,} rows")
        end = min(size, start + _CHUNK)
        timestamp = begin if shared else begin.strftime("%Y-%m-%d %H:%M:%S")
        values = {"first": start, "last": end, "step": step, "begin": timestamp, "jobs": jobs}
        with engine.begin() as connection:
            connection.execute(text(_POSTGRESQL if shared else _SQLITE), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if shared else "ANALYZE"))


def _cells(engine: Engine, name: str, size: int) -> Iterator[str]:
    store, now = JobRunRepository(engine), datetime.now(UTC)
    say("statistics", f"{name}: rolling up {size:,} rows")
    roll_up(engine, store.names(), now)
    jobs = [f"job_{number}" for number in range(JOBS)]
    queries: list[Callable[[str], object]] = [
        lambda job: job_statistics(engine, job),
        lambda job: job_statistics(engine, job, window=timedelta(days=7)),
        lambda _job: store.page(),
        lambda job: store.page(job_name=job),
        lambda job: store.page(job_name=job, status="failed"),
        lambda _job: store.latest(),
    ]
    for number, query in enumerate(queries):
        say("statistics", f"{name}, {size:,} rows: question {number + 1} of {len(queries)}")
        yield _p50_p95(query, [random.choice(jobs) for _ in range(_QUERIES)])  # no secret
    yield _p50_p95(lambda number: _record(store, number), range(_RECORDED))
    say("statistics", f"{name}, {size:,} rows: pruning")
    pruned = Retention(engine).prune(jobs, DAYS - DAYS // 9, now)
    yield f"{pruned.longest_batch_seconds * 1e3:.0f} of {pruned.runs:,}"


def _p50_p95(call: Callable[..., object], arguments: Iterable[object]) -> str:
    milliseconds = []
    for argument in arguments:
        started = time.perf_counter()
        call(argument)
        milliseconds.append((time.perf_counter() - started) * 1e3)
    percentiles = quantiles(milliseconds, n=100)
    return f"{percentiles[49]:.1f} / {percentiles[94]:.1f}"


def _record(store: JobRunRepository, number: int) -> None:
    now = datetime.now(UTC)
    identity = f"{number + 2**60:032x}"
    started = JobRun(
        run_id=f"{identity}{number:016x}",
        job_name="job_7",
        status="running",
        started_at=now,
        trace_id=identity,
        span_id=f"{number:016x}",
        worker="host:1",
        heartbeat_at=now,
    )
    store.write([started])
    store.write([replace(started, status="success", outcome="success", finished_at=now, duration_seconds=0.1)])
