"""The cost of a job run: the wall-clock time that `monitor_job` adds to an empty body."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from bench.contenders import settings
from bench.progress import say
from bench.subprocess_runner import MeasurementFailed, Subprocess
from bench.table import NOT_MEASURED, Table
from telemetry import setup
from telemetry.database import create_engine
from telemetry.instruments import Instruments
from telemetry.jobs.monitor import JobMonitoring, activate, monitor_job
from telemetry.jobs.processor import JobSpanProcessor
from telemetry.jobs.run import JobRun
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfiler
from telemetry.jobs.store.tables import Base
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.reader import FamilyReader

RUNS, QUICK_RUNS = 1000, 300
_WARM_UP = 100
_JOB = "bench_job"
_REFUSED_URL = "postgresql+psycopg://bench@127.0.0.1:1/bench"
_TIMEOUT = 60.0

Run = Callable[[int], list[float]]
Flush = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Runs:
    microseconds: list[float]
    recorded_per_second: float | None


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        "A job run: what monitor_job adds to a body that does nothing, wall clock",
        ["", "median µs", "p99 µs", "recorded/s"],
        "recorded: in the database, from the first run to the last row; one thread or task runs them one after the other",
    )
    for i, (name, prepare) in enumerate(VARIANTS.items()):
        say(f"jobs: {name}")
        own = directory / f"jobs{i}"
        own.mkdir()
        try:
            with Subprocess(runner, prepare, own) as process:
                process.call(_WARM_UP)
                table.add(name, *_cells(process.call(QUICK_RUNS if quick else RUNS)))
        except MeasurementFailed as error:
            table.fail(name, error)
    yield table


def _cells(runs: Runs) -> tuple[str, str, str]:
    rate = runs.recorded_per_second
    p99 = quantiles(runs.microseconds, n=100)[98]
    return f"{median(runs.microseconds):,.0f}", f"{p99:,.0f}", f"{rate:,.0f}" if rate else NOT_MEASURED


def runner(prepare: Callable[[Path], tuple[Run, Flush | None]], directory: Path) -> Callable[[int], Runs]:
    run, flush = prepare(directory)

    def measure(number: int) -> Runs:
        started = time.perf_counter()
        microseconds = run(number)
        if flush is None:
            return Runs(microseconds, None)
        if not flush():
            raise MeasurementFailed("the runs were not written in time")
        return Runs(microseconds, number / (time.perf_counter() - started))

    return measure


def _with(number: int) -> list[float]:
    return [_timed_with() for _ in range(number)]


def _timed_with() -> float:
    started = time.perf_counter()
    with monitor_job(_JOB):
        pass
    return (time.perf_counter() - started) * 1e6


def _async_with(number: int) -> list[float]:
    async def all_of_them() -> list[float]:
        return [await _timed_async_with() for _ in range(number)]

    return asyncio.run(all_of_them())


async def _timed_async_with() -> float:
    started = time.perf_counter()
    async with monitor_job(_JOB):
        pass
    return (time.perf_counter() - started) * 1e6


def not_started(_directory: Path) -> tuple[Run, Flush | None]:
    return _with, None


def not_recorded(_directory: Path) -> tuple[Run, Flush | None]:
    tracers = TracerProvider(shutdown_on_exit=False)
    meters = LimitedMeterProvider(MeterProvider([FamilyReader()], shutdown_on_exit=False))
    counts = RunMetrics(Instruments.create(meters.get_meter("bench")))
    tracers.add_span_processor(JobSpanProcessor(_forget, counts, RunProfiler()))
    activate(JobMonitoring(tracers.get_tracer("bench")))
    return _with, None


def _forget(_run: JobRun) -> None:
    """Record nothing."""


def sqlite(directory: Path) -> tuple[Run, Flush | None]:
    return _with, _recording(directory)


def sqlite_async(directory: Path) -> tuple[Run, Flush | None]:
    return _async_with, _recording(directory)


def sqlite_unwaited(directory: Path) -> tuple[Run, Flush | None]:
    flush = _recording(directory)
    if (telemetry := setup.current()) is not None:
        activate(JobMonitoring(telemetry.tracer_provider.get_tracer("bench")))
    return _with, flush


def _recording(directory: Path) -> Flush:
    engine = create_engine(settings(directory).url)
    Base.metadata.create_all(engine)
    telemetry = setup.start(settings=settings(directory), engine=engine)
    return lambda: telemetry.jobs.recorder.flush(_TIMEOUT)


def database_gone(directory: Path) -> tuple[Run, Flush | None]:
    telemetry = setup.start(settings=settings(directory, database_url=_REFUSED_URL))
    _with(1)
    end = time.monotonic() + _TIMEOUT
    while telemetry.jobs.recorder.is_healthy:
        if time.monotonic() > end:
            raise MeasurementFailed("the recorder did not notice that the database is gone")
        time.sleep(0.01)
    return _with, None


def database_gone_async(directory: Path) -> tuple[Run, Flush | None]:
    database_gone(directory)
    return _async_with, None


VARIANTS: dict[str, Callable[[Path], Any]] = {
    "telemetry not started": not_started,
    "span and metrics, recorded nowhere": not_recorded,
    "SQLite: with, until its row can be read": sqlite,
    "SQLite: async with, until its row can be read": sqlite_async,
    "SQLite: with, nobody waits for the row": sqlite_unwaited,
    "the database is gone: with": database_gone,
    "the database is gone: async with": database_gone_async,
}
