"""Log calls that interrupt log calls of the same thread: from finalizers, weakref callbacks and signal handlers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.e2e
BOUND = 120  # seconds that only a hang exceeds

START = """
import asyncio, gc, logging, os, signal, sys, threading, time, warnings, weakref
import telemetry
from telemetry import setup
from telemetry.jobs.monitor import monitor_job
from telemetry.settings import TelemetrySettings
from telemetry.database import create_engine
from service.database import migrations
engine = create_engine("sqlite:///" + os.environ["DATA_DIR"] + "/reentrancy.db")
migrations.migrate(engine)
built = setup.start(engine=engine, settings=TelemetrySettings())
log = logging.getLogger("shop")
def noise(number):
    log.info("line %d", number % 50)
    log.error("order %d failed", number % 7, extra={"component": f"component{number % 300}"})
    log.warning("slow %d", number)
"""

TASKS = """
class Job:
    def start(self):
        self.task = asyncio.get_running_loop().create_task(self.run())
    async def run(self):
        raise ValueError("nobody awaits this")
async def main():
    gc.set_threshold(50, 2, 2)
    for number in range(200):
        Job().start()
        noise(number)
        await asyncio.sleep(0)
asyncio.run(main())
"""

FINALIZERS = """
class Finalized:
    def __init__(self):
        self.cycle = self
        self.reference = weakref.ref(self, lambda _: log.warning("a weakref callback %d", time.monotonic_ns()))
    def __del__(self):
        log.error("a finalizer", extra={"component": "finalizer"})
        log.info("a finalizer %d", time.monotonic_ns())
gc.set_threshold(40, 2, 2)
def work():
    for number in range(60):
        Finalized()
        noise(number)
        built.metrics.page.render()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

SIGNALS = """
signals = 0
def handle(*_):
    global signals
    signals += 1
    log.warning("a signal %d", signals)
    log.error("a signal", extra={"component": f"signal{signals % 20}"})
    signal.setitimer(signal.ITIMER_REAL, 0.002)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.002)
end = time.monotonic() + 2
number = 0
while time.monotonic() < end:
    number += 1
    noise(number)
signal.setitimer(signal.ITIMER_REAL, 0)
assert signals > 50, signals
"""

JOBS = """
def steps():
    with monitor_job("abandoned"):
        yield
gc.set_threshold(40, 2, 2)
class Cycle:
    def __init__(self):
        self.me, self.steps = self, steps()
        next(self.steps)
for number in range(60):
    Cycle()
    built.metrics.page.render()
    noise(number)
"""

END = """
setup.shutdown()
print("finished")
"""


@pytest.mark.parametrize("script", [TASKS, FINALIZERS, SIGNALS, JOBS], ids=["tasks", "finalizers", "signals", "jobs"])
def test_a_log_call_that_interrupts_another_one_does_not_wait_for_it(tmp_path: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + script + END],
        env={**os.environ, "DATA_DIR": str(tmp_path), "LOG_DIR": str(tmp_path / "log"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=BOUND,
        check=True,
    )

    assert done.stdout == "finished\n"
