"""The servers that run workers: whichever of their workers answers, the page is that of all of them, without configuration."""

import os
import re
import signal
from typing import Any, Final

import psutil
import pytest

from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.worker_consistency import counters

pytestmark = pytest.mark.e2e
APP: Final = "service.main:app"
GUNICORN: Final = ("gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-w", "2", "-b", "127.0.0.1:{port}", APP)
SERVERS: Final = {
    "gunicorn": GUNICORN,
    "gunicorn --preload": (*GUNICORN, "--preload"),
    "hypercorn": ("hypercorn", "-w", "2", "-b", "127.0.0.1:{port}", "service.main:create_app()"),
    "granian": (
        *("granian", "--interface", "asgi", "--workers", "2", "--respawn-failed-workers"),
        *("--host", "127.0.0.1", "--port", "{port}", APP),
    ),
    "uvicorn": ("uvicorn", "--workers", "2", "--port", "{port}", APP),
}
REUSING: Final = """
import asyncio
import socket
import sys

import uvicorn

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
asyncio.run(uvicorn.Server(uvicorn.Config("service.main:app")).serve([server]))
"""
ACTIVATING: Final = """
import socket
import subprocess
import sys
import time

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
server.set_inheritable(True)
command = [sys.executable, "-m", "uvicorn", "--fd", str(server.fileno()), "service.main:app"]
units = [subprocess.Popen(command, close_fds=False) for _ in range(2)]
while True:
    for number, unit in enumerate(units):
        if unit.poll() is not None:
            units[number] = subprocess.Popen(command, close_fds=False)
    time.sleep(0.1)
"""
REPLACES_KILLED_WORKERS: Final = {"gunicorn", "gunicorn --preload", "granian", "uvicorn"}
"""hypercorn ends with the first worker that ends."""
STARTUP: Final = 120.0
PAGES: Final = 12


def served(programs: Programs, *command: str, **environment: str) -> Program:
    port = free_port()
    arguments = [each.format(port=port) for each in command]
    service = programs.start("-m", *arguments, port=port, SCHEDULER="false", **environment)
    service.wait_for("/readyz", within=STARTUP)
    return service


def worker_pids(page: str, service: Program) -> set[int]:
    """The processes on a page, as their entries in the registry say: a label is the number of a slot."""
    slots = re.findall(r'^telemetry_worker_snapshot_age_seconds\{worker="(\d+)"\}', page, re.MULTILINE)
    entries = [(service.out.parent / f"var/instances/{slot}.lock").read_text() for slot in slots]
    return {int(re.search(r'"pid": (\d+)', entry).group(1)) for entry in entries}  # type: ignore[union-attr]


def pids_of_two(service: Program) -> set[int]:
    """The two workers, as soon as a page shows both, and both live."""

    def look() -> set[int]:
        found = worker_pids(service.get("/metrics").text, service)
        return found if len(found) == 2 and all(map(psutil.pid_exists, found)) else set()

    return eventually(look, within=STARTUP)


def requests_on(page: str) -> float:
    wanted = {("endpoint", "/health"), ("status", "200")}
    found = counters(page).items()
    return sum(value for (name, labels), value in found if name == "http_requests_total" and wanted <= {*labels})


def pages(service: Program) -> list[str]:
    """Each is asked for by a connection of its own, which any of the workers may accept."""
    return [service.get("/metrics").text for _ in range(PAGES)]


def ask(service: Program, times: int) -> None:
    for _ in range(times):
        assert service.get("/health").status_code == 200


@pytest.mark.timeout(400)
@pytest.mark.parametrize("server", SERVERS)
def test_each_page_is_that_of_all_workers_also_when_one_is_killed(programs: Programs, server: str):
    service = served(programs, *SERVERS[server])
    try:
        _check(service, survives=server in REPLACES_KILLED_WORKERS)
    finally:
        service.kill()


def _check(service: Program, *, survives: bool) -> None:
    first = pids_of_two(service)

    ask(service, 60)
    shown = pages(service)
    assert {requests_on(page) for page in shown} == {60}
    assert {len(worker_pids(page, service)) for page in shown} == {2}
    assert all("telemetry_page_incomplete 0" in page for page in shown)

    os.kill(min(first), signal.SIGKILL)  # what was on a page is on the disk
    if not survives:
        service.exit_code(STARTUP)
        return
    eventually(lambda: pids_of_two(service) != first, within=STARTUP)
    ask(service, 40)
    shown = eventually(lambda: [page for page in pages(service) if 'reason="killed"} 1' in page], within=STARTUP)
    assert {requests_on(page) for page in shown} == {100}


@pytest.mark.timeout(400)
def test_processes_that_systemd_gives_one_socket_are_one_page(programs: Programs):
    """A manager opens the socket, and starts again what ends, as systemd does."""
    programs.write("activating.py", ACTIVATING)
    port = free_port()
    service = programs.start("activating.py", str(port), port=port, SCHEDULER="false")
    try:
        service.wait_for("/readyz", within=STARTUP)
        _check(service, survives=True)
    finally:
        service.kill()


@pytest.mark.timeout(400)
def test_processes_with_one_address_and_port_are_one_page(programs: Programs):
    programs.write("reusing.py", REUSING)
    port = free_port()
    units = [programs.start("reusing.py", str(port), port=port, SCHEDULER="false") for _ in range(2)]
    try:
        service = units[0]
        pids_of_two(service)
        ask(service, 60)
        assert {requests_on(page) for page in pages(service)} == {60}

        units[1].kill()
        units[1] = programs.start("reusing.py", str(port), port=port, SCHEDULER="false")
        eventually(lambda: units[1].process.pid in pids_of_two(service), within=STARTUP)
        ask(service, 40)
        shown = eventually(lambda: [page for page in pages(service) if 'reason="killed"} 1' in page], within=STARTUP)
        assert {requests_on(page) for page in shown} == {100}
    finally:
        for unit in units:
            unit.kill()


@pytest.mark.timeout(400)
def test_processes_with_a_port_each_are_one_page_when_they_are_named_as_one(programs: Programs):
    units = [served(programs, "uvicorn", "--port", "{port}", APP, TELEMETRY_GROUP="shop") for _ in range(2)]
    try:
        pids_of_two(units[0])
        for unit in units:
            ask(unit, 30)
        assert {requests_on(unit.get("/metrics").text) for unit in units} == {60}
    finally:
        for unit in units:
            unit.kill()


@pytest.mark.timeout(400)
def test_a_worker_that_is_reloaded_takes_nothing_with_it(programs: Programs):
    module = programs.write("reloaded.py", "from service.main import app\n")
    service = served(programs, "uvicorn", "--reload", "--port", "{port}", "reloaded:app")
    try:
        [first] = eventually(lambda: worker_pids(service.get("/metrics").text, service))
        ask(service, 30)
        assert requests_on(service.get("/metrics").text) == 30

        module.write_text("from service.main import app  # changed\n")
        eventually(lambda: worker_pids(service.get("/metrics").text, service) - {first}, within=STARTUP)
        ask(service, 30)

        assert requests_on(service.get("/metrics").text) == 60
    finally:
        service.kill()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("server", ["gunicorn", "gunicorn --preload"])
def test_each_worker_has_an_instance_id_of_its_own_also_where_one_is_set(programs: Programs, server: str):
    with otlp_receiver() as arrived:
        service = served(
            programs,
            *SERVERS[server],
            OTEL_RESOURCE_ATTRIBUTES="service.instance.id=pod-1",
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
        try:
            pids_of_two(service)
            ask(service, 60)
            service.tell(signal.SIGTERM)
            service.exit_code(STARTUP)
        finally:
            service.kill()

    requests = newest_requests(arrived)
    assert sum(requests.values()) == 60
    assert len(requests) == 2
    assert all(re.fullmatch(r"pod-1-[0-9a-f]{12}", each) for each in requests)
    assert service.said().count("sets service.instance.id") == 1


def newest_requests(arrived: OtlpReceiver) -> dict[str, int]:
    """The requests to `/health` that each process has counted, by its instance id."""
    counted: dict[str, int] = {}
    for request in arrived.requests("/v1/metrics"):
        for each in request.resource_metrics:
            [instance] = [a.value.string_value for a in each.resource.attributes if a.key == "service.instance.id"]
            for scope in each.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "http.server.request.duration":
                        counted[instance] = sum(p.count for p in metric.histogram.data_points if _is_health(p))
    return {instance: number for instance, number in counted.items() if number}


def _is_health(point: Any) -> bool:
    return any(each.key == "http.route" and each.value.string_value == "/health" for each in point.attributes)
