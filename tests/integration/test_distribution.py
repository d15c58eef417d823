"""`opentelemetry-instrument uvicorn app:app`: everything, for an application in which no line is about telemetry."""

import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.distribution import BINARIES, install_entry_points, instrumented_uvicorn
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e

APP = """
import logging
from fastapi import FastAPI
from sqlalchemy import create_engine, text

app = FastAPI()
engine = create_engine("sqlite:///shop.db")


@app.get("/books/{book_id}")
def read_book(book_id: int):
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return {}


@app.get("/crash")
def crash():
    logging.getLogger("shop").error("out of stock")
    raise ValueError("out of books")
"""
STARTED = """
import telemetry
from telemetry.jobs import Base
from shop import app

running = telemetry.start(app=app)
"""

POOL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path


def double(number):
    return number * 2


if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        print(pool.submit(double, 2).result())
        print("var", Path("var").exists())
"""
VARIABLES = {"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_SAMPLER": "always_on"}


@pytest.fixture(autouse=True)
def _installed(programs: Programs):
    install_entry_points(programs.home)
    programs.write("shop.py", APP)
    programs.write("started_shop.py", STARTED)


def requests_counted(arrived) -> int:
    """The requests in `http.server.request.duration` over all processes; of each series its newest point."""
    newest: dict[tuple[int, str], int] = {}
    for metric in arrived.every_metric():
        if metric.name == "http.server.request.duration":
            for point in metric.histogram.data_points:
                newest[point.start_time_unix_nano, str(point.attributes)] = point.count
    return sum(newest.values())


@pytest.mark.parametrize("app", ["shop:app", "started_shop:app"])
@pytest.mark.parametrize("workers", [1, pytest.param(4, marks=pytest.mark.e2e)])
def test_an_application_without_a_line_about_telemetry_is_observed(programs: Programs, app: str, workers: int):
    with otlp_receiver() as arrived:
        shop = instrumented_uvicorn(
            programs,
            app,
            *("--workers", str(workers)),
            **VARIABLES,
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
        )
        shop.wait_for("/books/1", within=90)
        for number in range(7):
            assert shop.get(f"/books/{number}").status_code == 200
        assert shop.get("/crash").status_code == 500
        shop.tell(signal.SIGTERM)
        shop.exit_code()

    names = Counter(span.name for span in arrived.every_span())
    assert (names["GET /books/{book_id}"], names["GET /crash"]) == (8, 1)
    assert sum(number for name, number in names.items() if name.startswith("SELECT")) == 8
    assert requests_counted(arrived) == 9
    assert {"out of stock"} <= {*arrived.logs()}
    assert {resource["service.name"] for resource in arrived.resources()} == {"shop"}
    outbox = rows(programs.home / "var/alerts/outbox.db", "SELECT count(*) FROM incidents")
    assert outbox[0][0] >= 1
    assert "Attempting to instrument" not in shop.said()
    assert "Traceback" not in shop.said().partition("out of stock")[0]


def test_a_wrong_setting_is_one_line_and_the_application_runs_unobserved(programs: Programs):
    shop = instrumented_uvicorn(programs, "shop:app", LOG_LEVEL="LOUD", ALERT_THRESHOLD_DISK="all")
    shop.wait_for("/books/1", within=90)

    said = [line for line in shop.said().splitlines() if "is not observed" in line]
    assert len(said) == 1
    assert "LOG_LEVEL is 'LOUD', but must be one of" in said[0]
    assert "ALERT_THRESHOLD_DISK" in said[0]
    assert "Traceback" not in shop.said()
    assert not (programs.home / "var").exists()


def test_processes_that_import_nothing_to_observe_start_no_telemetry(programs: Programs):
    """A process pool of the standard library, its workers, and the resource tracker that Python starts for it."""
    script = programs.write("pool.py", POOL)
    done = subprocess.run(
        [str(BINARIES / "opentelemetry-instrument"), sys.executable, str(script)],
        cwd=programs.home,
        env=programs.environment(PATH=f"{BINARIES}:/usr/bin:/bin", **VARIABLES),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4", "var", "False"]
