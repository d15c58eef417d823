"""Containers under load and without memory."""

import json
import re

import pytest

from tests.stack.conftest import KILLED, LONG, Stack
from tests.support.processes import eventually
from tools.stack.project import OPS_TOKEN

# The alert about the stores comes after minutes, in which these tests run.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200), pytest.mark.usefixtures("refused")]
SECONDS = 30
LOAD = """
import collections, http.client, json, re, sys, threading, time
host, seconds, token = sys.argv[1:]
paths = ("/jobs/status?limit=1000", "/api/v1/reviews?limit=100", "/healthz", "/metrics", "/jobs", "/openapi.json")
statuses, memory, cpu = collections.Counter(), [], []
end = time.monotonic() + float(seconds)

def number(name, page):
    return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\\S+)$", page, re.MULTILINE).group(1))

def ask():
    connection = http.client.HTTPConnection(host, 8080, timeout=60)
    while time.monotonic() < end:
        for path in paths:
            connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
            response = connection.getresponse()
            page = response.read().decode()
            statuses[response.status] += 1
            if path == "/metrics":
                memory.append(number("system_memory_utilization", page))
                cpu.append((time.monotonic(), number("process_cpu_seconds_total", page)))

clients = [threading.Thread(target=ask) for _ in range(8)]
for client in clients: client.start()
for client in clients: client.join()
(began, first), (ended, last) = min(cpu), max(cpu)
print(json.dumps({"statuses": statuses, "memory": max(memory), "cpus": (last - first) / (ended - began)}))
"""
HOG = "import time; kept = b'x' * (60 << 20); time.sleep(600)"
"""Several of them take more than the container may have. None is as large as the service, which the kernel therefore ends."""


LEAK = """
import os, pathlib, time
groups = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")
group = next(each for each in groups if (each / "memory.stat").exists())

def number(*names):
    return next(int((group / name).read_text()) for name in names if (group / name).exists())

def used():
    rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    cache = rows.get("total_inactive_file") or rows["inactive_file"]
    return number("memory.usage_in_bytes", "memory.current") - int(cache)

for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if path.parent.name != "1" and b"\\0serve\\0" in path.read_bytes():
        (path.parent / "oom_score_adj").write_text("1000")
kept = []
while used() < number("memory.limit_in_bytes", "memory.max") * 0.94: kept.append(b"x" * (4 << 20))
time.sleep(12)
while True: kept.append(b"x" * (4 << 20))
"""
"""A leak that lasts longer than a service takes to note its memory. It makes the kernel end the parent of the workers first."""


@pytest.mark.parametrize(("service", "memory", "cpus"), [("sovani", 1024, 2.0), ("scheduler", 512, 1.0)])
def test_the_limits_hold(settled: Stack, service: str, memory: int, cpus: float):
    """As the kernel has them: what is over the limit is ended, and the service goes on."""
    limits = settled.project.container(service)["HostConfig"]

    assert (limits["Memory"], limits["NanoCpus"], limits["ReadonlyRootfs"]) == (memory << 20, cpus * 10**9, True)
    script = f"kept = bytearray({memory + 256} << 20); kept[::4096] = b'x' * len(kept[::4096])"
    done = settled.project.tried("exec", "--no-TTY", service, "python", "-c", script)
    assert done.returncode == 137


def test_half_a_gigabyte_and_one_processor_are_enough_under_load(settled: Stack, capsys: pytest.CaptureFixture[str]):
    before = settled.project.container("scheduler")

    arguments = ("python", "-c", LOAD, "scheduler", str(SECONDS), OPS_TOKEN)
    seen = json.loads(settled.project.compose("exec", "--no-TTY", "sandbox", *arguments))

    with capsys.disabled():
        print(f"\nunder load: {seen}")  # noqa: T201  # to read
    after = settled.project.container("scheduler")
    assert (after["RestartCount"], after["State"]["Health"]["Status"]) == (before["RestartCount"], "healthy")
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert seen["statuses"].keys() == {"200"}
    assert seen["memory"] < 0.9  # from there on an alert fires
    assert seen["cpus"] < 1.2


def test_the_scheduler_is_killed_for_its_memory_and_docker_says_so_and_starts_it_again(settled: Stack):
    container, runs = settled.project.container("scheduler"), settled.finished_runs()

    def killed() -> bool:
        settled.project.tried("exec", "--no-TTY", "--detach", "scheduler", "python", "-c", HOG)
        return bool(settled.project.container("scheduler")["RestartCount"] > container["RestartCount"])

    eventually(killed, LONG)
    assert settled.was_killed_for_its_memory(container["Id"])
    eventually(settled.all_well, LONG)
    eventually(lambda: settled.lost_none_of(runs), LONG)


def test_the_api_runs_out_of_memory_and_its_new_start_sends_one_alert_that_says_so(
    settled: Stack, capsys: pytest.CaptureFixture[str]
):
    """Its first process is what the kernel ends, and the container with it. Docker starts it again, with counters of the kernel at 0."""
    eventually(lambda: settled.is_marked("sovani", 2), LONG)
    container, runs = settled.project.container("sovani"), settled.finished_runs()
    reported = settled.messages(KILLED)

    settled.project.tried("exec", "--no-TTY", "sovani", "python", "-c", LEAK)

    eventually(lambda: settled.project.container("sovani")["RestartCount"] == container["RestartCount"] + 1, LONG)
    assert settled.was_killed_for_its_memory(container["Id"])
    eventually(settled.all_well, LONG)
    eventually(lambda: settled.lost_none_of(runs), LONG)
    [message] = eventually(lambda: settled.messages(KILLED)[len(reported) :], LONG)
    with capsys.disabled():
        print(f"\n{message}")  # noqa: T201  # to read
    assert "its 2 processes ended without an orderly stop. The service runs again." in message
    assert re.search(r"out of memory|for memory", message)
    assert "Raise the memory limit, or use fewer workers." in message
    assert "% of 1,024 MB were used when it was last seen" in message
    eventually(lambda: settled.is_marked("sovani", 2), LONG)
    assert settled.messages(KILLED) == [*reported, message]
