"""Stopping: in the middle of everything, whatever hangs, soon, and nothing is lost."""

import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import psutil
import pytest

from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Program, Programs, eventually, free_port

SOON: Final = 15.0
"""Seconds that only a hang takes: without a deadline the exporters alone take ten for each signal. An idle machine needs 0.3, and 4.2 where
the Collector is in trouble."""
APP: Final = '''
import logging
import time
from pathlib import Path

from service.main import create_app
from telemetry.jobs import monitor_job

app = create_app()


@app.get("/slow")
def slow():
    """Begun, and then answered when somebody says so."""
    with monitor_job("slow_job"):
        logging.getLogger("shop").error("the till is stuck")
    Path("begun").touch()
    end = time.monotonic() + 10
    while not Path("told").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return {"answered": True}
'''


Stop = Callable[[str], tuple[int, float, Program]]


@pytest.fixture
def stopped_in_a_request(programs: Programs) -> Stop:
    """Starts the service and a request in it, sends SIGTERM, lets the request go on: its status, and how long it all took."""
    programs.write("slow.py", APP)

    def stop_it(endpoint: str) -> tuple[int, float, Program]:
        service = programs.uvicorn(
            "slow:app", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_TRACES_SAMPLER="always_on", SCHEDULER="false"
        )
        service.wait_for("/readyz")
        with ThreadPoolExecutor(1) as client:
            answer = client.submit(service.get, "/slow")
            eventually((programs.home / "begun").exists)
            told = service.tell(signal.SIGTERM)
            eventually(lambda: not service.listens())
            assert not answer.done()
            (programs.home / "told").touch()
            status = answer.result(10).status_code
        service.exit_code()
        return status, time.monotonic() - told, service

    return stop_it


@contextmanager
def listening(how: str) -> Generator[str]:
    if how == "refusing":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with otlp_receiver(responds=how != "hanging") as opened:
        yield opened.url


def test_on_sigterm_a_request_is_answered_and_all_three_signals_arrive(stopped_in_a_request: Stop):
    with otlp_receiver() as arrived:
        status, took, service = stopped_in_a_request(arrived.url)

    request, run = arrived.spans()["GET /slow"], arrived.spans()["job slow_job"]
    error = arrived.logs()["the till is stuck"]
    [resource] = arrived.resources()
    assert status == 200
    assert took < SOON, service.said()
    assert request.trace_id == run.trace_id == error.trace_id
    assert error.span_id == run.span_id
    assert run.parent_span_id == request.span_id
    assert answered(arrived, "/slow") == 1
    assert arrived.paths() == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert (resource["service.name"], resource["service.version"]) == ("sovani", "0.1.0")
    assert resource["deployment.environment.name"] == "development"
    assert resource["service.instance.id"]


@pytest.mark.e2e
@pytest.mark.parametrize("how", ["refusing", "hanging"])
def test_on_sigterm_a_collector_in_trouble_costs_neither_the_answer_nor_the_stop(how: str, stopped_in_a_request: Stop):
    with listening(how) as endpoint:
        status, took, service = stopped_in_a_request(endpoint)

    assert status == 200
    assert took < SOON, service.said()
    assert "Traceback" not in service.err.read_text()


@pytest.mark.e2e
def test_ctrl_c_is_no_crash_and_a_second_start_is_quick(programs: Programs, capsys: pytest.CaptureFixture[str]):
    first = programs.serve()
    first.wait_for("/readyz")

    told = first.tell(signal.SIGINT)
    code = first.exit_code()
    stopped_in = time.monotonic() - told
    begun = time.monotonic()
    second = programs.serve()
    second.wait_for("/health")
    started_in = time.monotonic() - begun

    with capsys.disabled():
        print(f"\nCtrl-C took {stopped_in:.2f} s, the second start {started_in:.2f} s to the first answer.")  # noqa: T201  # a figure to read
    assert code in {0, 130, -signal.SIGINT}
    assert "Traceback" not in first.said()
    assert stopped_in < SOON
    assert started_in < SOON


@pytest.mark.e2e
def test_two_workers_serve_and_leave_nobody_behind(programs: Programs):
    service = programs.uvicorn("service.main:app", "--workers", "2")
    service.wait_for("/readyz")
    children = psutil.Process(service.process.pid).children(recursive=True)

    told = service.tell(signal.SIGTERM)
    code = service.exit_code()

    gone, alive = psutil.wait_procs(children, timeout=max(0.0, told + SOON - time.monotonic()))
    assert len(gone) >= 2
    assert alive == []
    assert time.monotonic() - told < SOON
    assert code in {0, -signal.SIGTERM}


def answered(arrived: OtlpReceiver, route: str) -> int:
    points = arrived.metrics()["http.server.request.duration"].histogram.data_points
    return sum(
        point.count
        for point in points
        if any(pair.key == "http.route" and pair.value.string_value == route for pair in point.attributes)
    )
