"""Costs of real processes: what all names and idle time used is what the operating system says of the processes.

The load lasts COSTS_SECONDS, which is 40, with 1 and with COSTS_WORKERS workers, which are 2; 600 and 4 are a full proof.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.support.processes import ROOT, Programs, free_port
from tests.support.worker_consistency import counters, workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
PATHS = ("/health", "/jobs/stats/check_resources", "/nowhere", "/jobs", "/metrics", "/api/v1/reviews")
LOAD_SECONDS = float(os.environ.get("COSTS_SECONDS", "40"))
WORKERS = int(os.environ.get("COSTS_WORKERS", "2"))
START_SECONDS = 300.0  # four workers, on a busy machine


def load(url, stop):
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        while not stop.is_set():
            for path in PATHS:
                with suppress(httpx.TransportError):
                    client.get(path)


def cpu_seconds(processes):
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def cpu_rows(home):
    engine = create_engine(f"sqlite:///{home / 'costs.db'}")
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, name, sum(amount) FROM cost_days WHERE resource = 'cpu' GROUP BY kind, name")
        ).all()
    engine.dispose()
    return {(kind, name): amount for kind, name, amount in rows}


@pytest.mark.parametrize("number", [1, WORKERS])
def test_under_mixed_load_all_names_and_idle_time_are_the_cpu_time_of_the_processes(tmp_path, number, record_property):
    programs = Programs(tmp_path)
    try:
        service = programs.serve(
            "--workers",
            str(number),
            PYTHONPATH=str(ROOT),
            SANDBOX="true",
            SANDBOX_PORT=str(free_port()),
            DATABASE_URL=f"sqlite:///{tmp_path / 'costs.db'}",
            COST_CPU_HOUR_USD="3600",
        )
        service.wait_for("/readyz", within=START_SECONDS)
        stop = threading.Event()
        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                pool.submit(load, service.url, stop)
            time.sleep(LOAD_SECONDS)
            stop.set()
        processes = workers(service) if number > 1 else [psutil.Process(service.process.pid)]
        page = counters(service.get("/metrics", timeout=30).text)
        used, supervisor = cpu_seconds(processes), cpu_seconds({psutil.Process(service.process.pid)} - set(processes))
        service.process.terminate()
        service.exit_code()
        found = cpu_rows(tmp_path)
    finally:
        for each in programs._started:
            each.kill()

    shown = sum(value for (name, _), value in page.items() if name == "cpu_seconds_total")
    of_processes = next(value for (name, _), value in page.items() if name == "process_cpu_seconds_total")
    figures = {"shown": shown, "processes": of_processes, "written": sum(found.values()), "used": used}
    record_property("cpu_seconds", figures | {"idle": found["service", "idle"], "supervisor": supervisor})
    assert shown == pytest.approx(of_processes, rel=0.03)
    assert sum(found.values()) == pytest.approx(used, rel=0.03)
    assert sum(value for (kind, _), value in found.items() if kind == "route") > 0.3 * used
    assert {"/jobs/stats/{job_name}", "unmatched", "/metrics"} <= {name for _, name in found}
