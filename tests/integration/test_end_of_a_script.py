"""The end of a script: what it measured in its last moment arrives, on each supported Python, without a new thread."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy.engine import Engine

from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Programs
from tests.support.sqlite import rows
from tests.support.warm_python import EndedScript, WarmPython, warm_python

START: Final = """
import asyncio, atexit, concurrent.futures, logging, os, signal, sys, threading, time
import telemetry
from opentelemetry import metrics, trace
from telemetry.jobs import monitor_job

telemetry.start()

def work():
    with trace.get_tracer("shop").start_as_current_span("last span"):
        logging.getLogger("shop").warning("last words")
    metrics.get_meter("shop").create_counter("shop.last").add(3)
    with monitor_job("last_job"):
        pass

def work_later():
    while not concurrent.futures.thread._shutdown:  # until the interpreter waits for this thread
        time.sleep(0.01)
    work()
"""
ENDS: Final = {
    "just ends": ("work()", 0),
    "raises": ("work(); raise KeyError('no such book')", 1),
    "exits": ("work(); sys.exit(3)", 3),
    "has a thread that still works": ("threading.Thread(target=work_later).start()", 0),
    "has an executor that still works": ("pool = concurrent.futures.ThreadPoolExecutor(1); pool.submit(work_later)", 0),
    "works in an exit handler": ("atexit.register(work)", 0),
}
RARE_ENDS: Final = {
    "is interrupted": (
        "signal.signal(signal.SIGINT, signal.default_int_handler); work(); os.kill(os.getpid(), signal.SIGINT); time.sleep(30)",
        -signal.SIGINT,
    ),
    "exits with a sentence": ("work(); sys.exit('that is all')", 1),
    "works in a coroutine": ("async def main(): work()\nasyncio.run(main())", 0),
    "has shut logging down": ("work(); logging.shutdown()", 0),
    "has a daemon thread that goes on": (
        "work(); threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        0,
    ),
    "has shut the telemetry down": ("work(); telemetry.shutdown()", 0),
    "works in a generator that is never closed": (
        "def books():\n    try:\n        yield\n    finally:\n        work()\nopen_books = books(); next(open_books); del open_books",
        0,
    ),
}
COMMANDS: Final = (["jobs"], ["run-job", "check_resources"])
RARE_COMMANDS: Final = (["silence", "--list"], ["test-alert"], ["doctor"])
COMMAND: Final = """
import sys, warnings

warnings.simplefilter("always", ResourceWarning)
from service.cli import parser

sys.argv[1:] = {arguments}
sys.exit(parser.main())
"""


@pytest.fixture(scope="module")
def python() -> Iterator[WarmPython]:
    with warm_python("-W", "ignore::DeprecationWarning") as python:
        yield python


def run(python: WarmPython, programs: Programs, database: Engine, end: str, endpoint: str) -> EndedScript:
    """Run a script that ends so."""
    environment = programs.environment(
        DATABASE_URL=str(database.url),
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_TRACES_SAMPLER="always_on",
        OTEL_METRIC_EXPORT_INTERVAL="600000",
        OTEL_BSP_SCHEDULE_DELAY="600000",
        OTEL_BLRP_SCHEDULE_DELAY="600000",
    )
    return python.run(f"{START}\n{end}\n", programs.home, environment)


def assert_all_arrived(arrived: OtlpReceiver, database: Engine) -> None:
    assert {"last span", "job last_job"} <= {*arrived.spans()}
    assert "last words" in arrived.logs()
    [point] = arrived.metrics()["shop.last"].sum.data_points
    assert point.as_int == 3
    assert {"job.runs", "system.filesystem.utilization"} <= {*arrived.metrics()}
    assert recorded(database) == [("last_job", "success")]


def recorded(database: Engine) -> list[tuple[object, ...]]:
    return rows(Path(str(database.url.database)), "SELECT job_name, status FROM job_runs")


@pytest.mark.parametrize("how", [*ENDS, *(pytest.param(how, marks=pytest.mark.e2e) for how in RARE_ENDS)])
def test_all_of_its_last_moment_arrives_when_a_script(
    how: str, python: WarmPython, sqlite_engine: Engine, programs: Programs
):
    end, code = {**ENDS, **RARE_ENDS}[how]

    with otlp_receiver() as arrived:
        ended = run(python, programs, sqlite_engine, end, arrived.url)

    assert ended.code in {code, 128 - code}, ended.err
    assert "thread" not in ended.err
    assert_all_arrived(arrived, sqlite_engine)


@pytest.mark.e2e  # it waits for the deadline
def test_a_receiver_that_does_not_respond_costs_the_deadline_and_not_the_job_run(
    python: WarmPython, sqlite_engine: Engine, programs: Programs
):
    with otlp_receiver(responds=False) as hanging:
        ended = run(python, programs, sqlite_engine, "work()", hanging.url)

    assert ended.code == 0, ended.err
    assert "Not flushed within 5.0 s: traces, " in ended.err
    assert recorded(sqlite_engine) == [("last_job", "success")]


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(pytest.param(each, marks=pytest.mark.e2e) for each in RARE_COMMANDS)], ids=" ".join
)
def test_nothing_is_left_open_and_no_thread_is_asked_for_at_the_end_of_the_command(
    command: list[str], python: WarmPython, programs: Programs, sqlite_engine: Engine
):
    environment = programs.environment(DATABASE_URL=str(sqlite_engine.url))

    done = python.run(COMMAND.format(arguments=command), programs.home, environment)

    assert done.code == (1 if command == ["test-alert"] else 0), done.out + done.err  # it has no channel
    assert done.err == ""
