"""The servers that run workers: whichever of their workers answers, the page is that of all of them, without configuration."""

import os
import re
import signal
from typing import Final

import psutil
import pytest

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
    first = pids_of_two(service)

    ask(service, 60)
    shown = pages(service)
    assert {requests_on(page) for page in shown} == {60}
    assert {len(worker_pids(page, service)) for page in shown} == {2}
    assert all("telemetry_page_incomplete 0" in page for page in shown)

    os.kill(min(first), signal.SIGKILL)  # what was on a page is on the disk
    if server not in REPLACES_KILLED_WORKERS:
        service.exit_code(STARTUP)
        return
    eventually(lambda: pids_of_two(service) != first, within=STARTUP)
    ask(service, 40)
    shown = eventually(lambda: [page for page in pages(service) if 'reason="killed"} 1' in page], within=STARTUP)
    assert {requests_on(page) for page in shown} == {100}
