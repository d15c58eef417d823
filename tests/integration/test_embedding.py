"""Embedding: the telemetry in somebody else's FastAPI application, and in no application at all."""

import json
import signal
import sys
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy.engine import Engine

from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import ROOT, Programs
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e

APP: Final = """
from fastapi import FastAPI, Response

import telemetry
from telemetry.jobs import monitor_job

app = FastAPI()
running = telemetry.start(app=app)


@app.get("/books/{book_id}")
def read_book(book_id: int):
    with monitor_job("count_books") as run:
        run.metadata["books"] = book_id
    return {}


@app.get("/metrics")
def read_metrics():
    page, kind = running.metrics.page.render()
    return Response(page, media_type=kind)
"""
SCRIPT: Final = """
import telemetry
from telemetry.jobs import monitor_job

assert telemetry.start() is telemetry.start()
with monitor_job("count_books"):
    pass
telemetry.shutdown()
telemetry.shutdown()
with monitor_job("after_the_end"):
    print("the body ran")
"""
UNSTARTED: Final = """
import logging
from telemetry.jobs import monitor_job

logging.basicConfig(format="%(levelname)s %(message)s")
for number in range(3):
    with monitor_job("count_books") as run:
        run.metadata["books"] = number
        print(number)
"""


def migrate(programs: Programs) -> Path:
    """Run the service's migrations. Returns the database, which is the service's default one."""
    alembic = programs.start_command(
        str(Path(sys.executable).with_name("alembic")), "-c", str(ROOT / "alembic.ini"), "upgrade", "head", port=0
    )
    assert alembic.exit_code() == 0, alembic.said()
    return programs.home / "var/sovani.db"


def test_another_application_is_counted_recorded_and_flushed_by_one_line(programs: Programs):
    programs.write("library.py", APP)
    database = migrate(programs)

    with otlp_receiver() as arrived:
        library = programs.uvicorn(
            "library:app",
            DATABASE_URL=f"sqlite:///{database}",
            OTEL_SERVICE_NAME="library",
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
        )
        library.wait_for("/books/1")
        library.get("/books/2")
        page = library.get("/metrics").text
        library.tell(signal.SIGTERM)
        library.exit_code()

    runs = rows(database, "SELECT job_name, status, metadata FROM job_runs ORDER BY id")
    [resource] = arrived.resources()
    assert 'http_requests_total{method="GET",endpoint="/books/{book_id}",status="200"} 2' in page
    assert 'scheduler_jobs_total{job_name="count_books",status="success"} 2' in page
    assert [(name, status, json.loads(str(details))) for name, status, details in runs] == [
        ("count_books", "success", {"books": 1}),
        ("count_books", "success", {"books": 2}),
    ]
    assert {"GET /books/{book_id}", "job count_books"} <= {*arrived.spans()}
    assert resource["service.name"] == "library"


def test_a_script_records_by_start_and_shutdown_as_often_as_they_are_called(sqlite_engine: Engine, programs: Programs):
    programs.write("script.py", SCRIPT)

    done = programs.run("-m", "script", DATABASE_URL=str(sqlite_engine.url))

    assert done.returncode == 0, done.stderr
    assert done.stdout == "the body ran\n"
    assert done.stderr.count("Jobs are not recorded") == 1
    assert rows(Path(str(sqlite_engine.url.database)), "SELECT job_name, status FROM job_runs") == [
        ("count_books", "success")
    ]


def test_without_a_start_jobs_run_and_one_warning_says_that_nothing_records_them(programs: Programs):
    programs.write("unstarted.py", UNSTARTED)

    done = programs.run("-m", "unstarted")

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "1", "2"]
    assert done.stderr.splitlines() == ["WARNING Jobs are not recorded: the telemetry of this process is not started."]
    assert not (programs.home / "var").exists()
