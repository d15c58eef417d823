"""The cost of profiles, while a process is busy: py-spy from outside, and the SDK of Pyroscope within."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from bench import profiled_throughput
from bench.progress import say
from bench.table import Table
from telemetry.profiling import ProfileRecording, ProfileTarget, SamplingOptions, find_py_spy

SECONDS, QUICK_SECONDS = 10, 4
# Prints the seconds of processor time of everything but the work, and how often it was done in a second of its own.
_BUSY = """
import json, sys, time
seconds, address = float(sys.argv[1]), sys.argv[2]
if address:
    import pyroscope
    pyroscope.configure(application_name="bench", server_address=address)
print("begun", flush=True)
done, began = 0, (time.process_time(), time.thread_time(), time.monotonic())
while time.monotonic() - began[2] < seconds:
    sum(each * each for each in range(500))
    done += 1
process, thread, clock = time.process_time() - began[0], time.thread_time() - began[1], time.monotonic() - began[2]
print(json.dumps([(process - thread) / clock, done / thread]))
"""


class _Server(BaseHTTPRequestHandler):
    """Takes each profile."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nothing."""


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    seconds = QUICK_SECONDS if quick else SECONDS
    table = Table(
        "Profiles, while a process is busy", ["", "% of a core", "% slower"], "% slower: per second of processor time"
    )
    say("profiles", "nothing")
    _, alone = _measure(seconds, "")
    for rate in (20, 50, 100):
        say("profiles", f"py-spy at {rate} Hz")
        cost, speed = _by_py_spy(seconds, rate)
        table.add(f"py-spy at {rate} Hz, as `profile` runs it", f"{100 * cost:.1f}", f"{_slower(alone, speed):.1f}")
    say("profiles", "Pyroscope")
    cost, speed = _by_pyroscope(seconds)
    table.add(
        "the SDK of Pyroscope at 100 Hz, PYROSCOPE_SERVER_ADDRESS", f"{100 * cost:.1f}", f"{_slower(alone, speed):.1f}"
    )
    yield table
    yield profiled_throughput.table(directory, quick=quick)


def _slower(alone: float, speed: float) -> float:
    return 100 * (1 - speed / alone)


def _measure(seconds: float, address: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _BUSY, str(seconds), address], capture_output=True, text=True, check=True, timeout=300
    )
    cost, speed = json.loads(done.stdout.splitlines()[-1])
    return cost, speed


def _by_pyroscope(seconds: float) -> tuple[float, float]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return _measure(seconds, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def _by_py_spy(seconds: int, rate: int) -> tuple[float, float]:
    command = [sys.executable, "-c", _BUSY, str(seconds + 2), ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = _recorded(process.pid, seconds, rate)
        _, speed = json.loads(process.stdout.readline())
    return used / seconds, speed


def _recorded(pid: int, seconds: int, rate: int) -> float:
    """The processor time of py-spy while it samples, in seconds."""
    used = 0.0

    def look(_passed: float) -> None:
        nonlocal used
        for child in psutil.Process().children(recursive=True):
            if child.name() == "py-spy":
                times = child.cpu_times()
                used = times.user + times.system

    recording = ProfileRecording(find_py_spy(), [ProfileTarget(pid, "busy")], SamplingOptions(rate), seconds)
    recording.record(lambda: False, look)
    return used
