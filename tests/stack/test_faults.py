"""Containers that are stopped, killed, limited and started with wrong volumes: nothing is lost, and what is wrong is one line."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.stack.conftest import LONG, Stack, host_pid
from tests.support.processes import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
# Several of them take more than the container may have. None is as large as the service, which the kernel therefore ends.
HOG = "import time; kept = b'x' * (60 << 20); time.sleep(600)"


def nothing_is_lost(stack: Stack, before: dict[str, str]) -> None:
    def kept() -> bool:
        after = stack.finished_runs()
        assert {run: after.get(run) for run in before} == before
        return True

    eventually(kept, LONG)


def run_a_job(stack: Stack) -> None:
    """Recorded also when there was no database: by the spool."""

    def ran() -> bool:
        code, said = stack.command("run-job", "--quiet", "sync_wb_reviews", service="scheduler")
        assert code in {0, 75}, said
        return True

    eventually(ran, LONG)


@pytest.mark.parametrize("how", ["stop", "kill", "restart"])
def test_postgresql_stops_and_nothing_is_lost(settled: Stack, how: str):
    run_a_job(settled)
    before = settled.finished_runs()
    assert before

    settled.project.compose(how, "postgres")
    settled.project.compose("start", "postgres")

    eventually(settled.is_ready, LONG)
    nothing_is_lost(settled, before)
    run_a_job(settled)


def test_the_api_is_killed_with_its_workers_and_docker_starts_it_again(settled: Stack):
    before, runs = settled.project.container("sovani")["RestartCount"], settled.finished_runs()

    os.kill(host_pid(settled, "sovani"), signal.SIGKILL)

    eventually(lambda: settled.project.container("sovani")["RestartCount"] > before, LONG)
    eventually(settled.is_ready, LONG)
    nothing_is_lost(settled, runs)


def test_down_and_up_keep_the_history(settled: Stack):
    before = settled.finished_runs()
    assert before

    settled.project.down()
    settled.project.up()

    nothing_is_lost(settled, before)


@pytest.mark.parametrize(("service", "memory", "cpus"), [("sovani", 1024, 2.0), ("scheduler", 512, 1.0)])
def test_the_limits_hold(stack: Stack, service: str, memory: int, cpus: float):
    """As the kernel has them: what is over the limit is ended, and the service goes on."""
    limits = stack.project.container(service)["HostConfig"]

    assert (limits["Memory"], limits["NanoCpus"], limits["ReadonlyRootfs"]) == (memory << 20, cpus * 10**9, True)
    script = f"kept = bytearray({memory + 256} << 20); kept[::4096] = b'x' * len(kept[::4096])"
    done = stack.project.tried("exec", "--no-TTY", service, "python", "-c", script)
    assert done.returncode == 137
    eventually(stack.all_well, LONG)


def test_the_scheduler_is_killed_for_its_memory_and_docker_says_so_and_starts_it_again(settled: Stack):
    container = settled.project.container("scheduler")

    def killed() -> bool:
        settled.project.tried("exec", "--no-TTY", "--detach", "scheduler", "python", "-c", HOG)
        return bool(settled.project.container("scheduler")["RestartCount"] > container["RestartCount"])

    eventually(killed, LONG)
    this = ("--filter=event=oom", f"--filter=container={container['Id']}")
    assert settled.engine.docker("events", "--since=1h", "--until=0s", *this)
    eventually(settled.all_well, LONG)


def test_a_volume_of_another_user_is_one_line(stack: Stack, volume: Callable[[str], str]):
    code, said = stack.once(f"--volume={volume('1234:1234')}:/var/lib/sovani", stack.image, "serve")

    lines = [line for line in said.splitlines() if line]
    assert (code, len(lines)) == (1, 1), said
    assert "/var/lib/sovani" in lines[0]


def test_a_port_that_is_taken_is_one_line(stack: Stack):
    network = f"--network=container:{stack.project.container('sovani')['Id']}"
    code, said = stack.once(network, stack.image, "serve")

    lines = [line for line in said.splitlines() if line]
    assert (code, len(lines)) == (1, 1), said
    assert "8080" in lines[0]
