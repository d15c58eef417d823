"""Workers whose parent is killed end, and give the port back; workers that are killed are counted and reported."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.support.processes import Programs, eventually, free_port
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e

SLOW_APP = """
import time

from service.main import create_app

app = create_app()


@app.get("/endless")
def endless():
    time.sleep(300)


@app.get("/hang")
async def hang():
    time.sleep(300)
"""


def is_worker(child: psutil.Process) -> bool:
    """False for one that ends while it is looked at."""
    try:
        return "spawn_main" in " ".join(child.cmdline())
    except psutil.Error:
        return False


def workers_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if is_worker(child)]


def all_ended(workers: list[psutil.Process]) -> bool:
    return not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def kill_parent(service) -> list[psutil.Process]:
    workers = workers_of(service.process.pid)
    assert len(workers) == 2
    os.kill(service.process.pid, signal.SIGKILL)
    service.exit_code(5)
    return workers


def start(programs: Programs, command: str, port: int, workers: int):
    if command == "serve":
        return programs.start("-m", "service", "serve", "--workers", str(workers), port=port)
    arguments = ("service.main:app", "--workers", str(workers), "--port", str(port))
    return programs.start("-m", "uvicorn", *arguments, port=port)


@pytest.mark.parametrize("command", ["serve", pytest.param("uvicorn", marks=pytest.mark.e2e)])
def test_workers_of_a_killed_parent_end_and_a_new_start_succeeds(programs: Programs, command: str):
    port = free_port()
    first = start(programs, command, port, workers=2)
    first.wait_for("/readyz", within=60)

    workers = kill_parent(first)
    eventually(lambda: all_ended(workers), within=20)

    assert not first.listens()
    start(programs, command, port, workers=1).wait_for("/readyz", within=60)


@pytest.mark.parametrize("path", ["/endless", "/hang"])
def test_neither_an_open_request_nor_a_blocked_event_loop_keeps_an_orphan(programs: Programs, path: str):
    programs.write("slow.py", SLOW_APP)
    service = programs.uvicorn("slow:app", "--workers", "2")
    service.wait_for("/readyz", within=60)
    clients = [
        subprocess.Popen([sys.executable, "-c", f"import httpx; httpx.get('{service.url}{path}', timeout=90)"])
        for _ in range(2)
    ]
    eventually(lambda: sum(len(each.net_connections()) > 1 for each in workers_of(service.process.pid)))

    workers = kill_parent(service)

    eventually(lambda: all_ended(workers), within=20)
    for client in clients:
        client.kill()
        client.wait(5)


def test_a_single_process_outlives_the_shell_that_started_it(programs: Programs):
    port = free_port()
    command = f"{sys.executable} -m service serve & echo $!; wait"
    shell = programs.start_command("sh", "-c", command, port=port)
    shell.wait_for("/readyz", within=60)
    pid = int(eventually(lambda: shell.out.read_text().splitlines())[0])

    os.kill(shell.process.pid, signal.SIGKILL)
    shell.exit_code(5)

    eventually(lambda: psutil.Process(pid).ppid() != shell.process.pid)
    with pytest.raises(psutil.TimeoutExpired):
        psutil.Process(pid).wait(3)
    assert shell.get("/readyz").status_code == 200
    os.kill(pid, signal.SIGKILL)


def test_workers_that_are_killed_are_counted_and_three_are_one_alert(programs: Programs):
    service = programs.serve("--workers", "2")
    service.wait_for("/readyz", within=60)

    for number in range(1, 4):
        eventually(lambda: len(workers_of(service.process.pid)) == 2)
        workers_of(service.process.pid)[0].kill()

        def is_counted(number: int = number) -> bool:
            text = service.get("/metrics").text
            assert f'worker_restarts_total{{reason="killed"}} {number}\n' in text, text
            return True

        eventually(is_counted, within=60)

    def alerts() -> list[tuple[str, ...]]:
        return rows(programs.home / "var/alerts/outbox.db", "SELECT component, words FROM incidents")

    [(component, words)] = eventually(alerts)
    assert (component, words.partition(":")[0]) == ("workers", "Workers of this service are killed repeatedly")
    assert 'worker_restarts_total{reason="exited"} 0\n' in service.get("/metrics").text
