"""A span processor for tests that hands the runs of jobs to a function."""

from collections.abc import Callable

from opentelemetry.sdk.metrics import MeterProvider

from telemetry.instruments import Instruments
from telemetry.jobs.processor import JobSpanProcessor
from telemetry.jobs.run import JobRun
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfiler


def processor_into(
    record: Callable[[JobRun], None],
    *,
    instruments: Instruments | None = None,
    profiler: RunProfiler | None = None,
    worker: str | None = None,
) -> JobSpanProcessor:
    instruments = instruments or Instruments.create(MeterProvider(shutdown_on_exit=False).get_meter("tests"))
    return JobSpanProcessor(record, RunMetrics(instruments), profiler or RunProfiler(), worker)
