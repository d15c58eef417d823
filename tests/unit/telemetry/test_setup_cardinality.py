"""Cardinality: names that somebody makes up are bounded, counted, and it is said which instrument they were too many for."""

import gc
import logging
import tracemalloc
from uuid import uuid4

import pytest

from telemetry.build import build
from telemetry.costs import KINDS, cost_ledger
from telemetry.jobs import monitor_job
from telemetry.settings import TelemetrySettings
from tests.support.processes import eventually

LIMIT = 50
log = logging.getLogger("tests.cardinality")


@pytest.fixture
def telemetry(sqlite_engine, tmp_path):
    """As it starts, but with a limit that is soon reached."""
    settings = TelemetrySettings(data_dir=tmp_path / "var", log_dir=tmp_path / "log")
    started = build(settings, sqlite_engine, cardinality_limit=LIMIT)
    yield started
    started.shutdown()


def series(telemetry, name):
    page = telemetry.metrics.page.render()[0].decode()
    return [line for line in page.splitlines() if line.startswith(f"{name}{{")]


def run_jobs(number):
    for _ in range(number):
        with monitor_job(f"job-{uuid4().hex}"):
            pass


def test_job_names_without_end_become_one_overflow_series(telemetry):
    run_jobs(LIMIT + 100)

    found = series(telemetry, "scheduler_jobs_total")
    [over] = [line for line in found if 'otel_metric_overflow="true"' in line]
    assert len(found) == LIMIT
    assert float(over.rpartition(" ")[2]) == 101
    assert any('instrument="job.runs"' in line for line in series(telemetry, "telemetry_label_sets_overflow"))


def test_kinds_of_errors_without_end_are_bounded_and_each_is_counted(telemetry):
    for number in range(300):
        kind = type(f"Error{number}x{uuid4().hex[:8]}", (Exception,), {})
        log.error("no", exc_info=kind("x"), extra={"component": f"part{number}"})

    found = series(telemetry, "errors_total")
    assert len(found) == LIMIT
    assert sum(float(line.rpartition(" ")[2]) for line in found) == 300


@pytest.mark.e2e
def test_made_up_names_cost_no_memory_once_the_limit_is_reached(telemetry, monkeypatch):
    monkeypatch.setattr(cost_ledger, "MAX_NAMES", LIMIT // len(KINDS))

    def held(number):
        run_jobs(number)
        eventually(lambda: telemetry.jobs.recorder.size == 0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    held(100)
    before, after = held(100), held(200)
    tracemalloc.stop()

    assert after - before < 30_000
