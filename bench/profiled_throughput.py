"""The throughput of a service with two workers while `profile` runs beside it, against its throughput without."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.contenders import PATH
from bench.progress import say
from bench.subprocess_runner import Subprocess
from bench.table import Table
from bench.throughput import keep_busy, response_length
from bench.uvicorn_server import served

ROUNDS, QUICK_ROUNDS = 6, 2
WORKERS = 2
_RATES = (20, 100)
_SECONDS = 5
_CONNECTIONS = 24
_SHOP = f"""
from service.main import app

@app.get("{PATH}")
def hot() -> int:
    return sum(each * each for each in range(2_000))

app.router.routes.insert(0, app.router.routes.pop())
"""


def table(directory: Path, *, quick: bool) -> Table:
    made = Table(
        f"Throughput of the service, {WORKERS} workers, while `profile` runs",
        ["", "requests/s", "ratio"],
        "the median of the rounds; a ratio is of one round",
    )
    rounds = _rounds(directory, QUICK_ROUNDS if quick else ROUNDS)
    made.add("no profile", f"{_median([each[0] for each in rounds]):,.0f}", "")
    for i in range(len(_RATES)):
        ratio = _median([each[1 + i] / each[0] for each in rounds])
        made.add(f"at {_RATES[i]} Hz", f"{_median([each[1 + i] for each in rounds]):,.0f}", f"{ratio:.2f}")
    return made


def _rounds(directory: Path, number: int) -> list[tuple[float, ...]]:
    home = directory / "profiled"
    home.mkdir()
    (home / "shop.py").write_text(_SHOP)
    variables = {"DATA_DIR": str(home), "PYTHONPATH": os.pathsep.join([str(home), str(Path.cwd())])}
    arguments = ("shop:app", "--workers", str(WORKERS))
    with (
        served(*arguments, variables=variables, is_ready=lambda http: http.get(PATH).is_success) as port,
        Subprocess(spread_client) as load,
    ):
        load.call(port, _SECONDS)
        rounds = []
        for i in range(1, number + 1):
            say("profiles: throughput", f"round {i} of {number}")
            found: dict[int, float] = {}
            turns = (0, *_RATES)
            for rate in turns if i % 2 else reversed(turns):
                found[rate] = _beside(load, port, home, variables, rate) if rate else _alone(load, port)
            rounds.append(tuple(found[rate] for rate in turns))
        return rounds


def _alone(load: Subprocess, port: int) -> float:
    requests, took = load.call(port, _SECONDS)
    return float(requests / took)


def _beside(load: Subprocess, port: int, home: Path, variables: dict[str, str], rate: int) -> float:
    # It samples for longer than the load lasts: the command and py-spy need a moment to begin.
    options = ("--seconds", str(_SECONDS + 5), "--rate", str(rate), "--output", str(home / "flamegraph.svg"), "--force")
    command = [sys.executable, "-m", "service", "profile", *options]
    with subprocess.Popen(
        command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(3)
        rate_with = _alone(load, port)
        _, errors = process.communicate(timeout=60)
    if process.returncode:
        raise RuntimeError(errors)
    return rate_with


def spread_client() -> Callable[[int, float], tuple[int, float]]:
    """As that of the throughput; connections are opened one by one, since a worker accepts all that wait."""

    def measure(port: int, seconds: float) -> tuple[int, float]:
        length, connections = response_length(port), []
        try:
            for _ in range(_CONNECTIONS):
                connections.append(socket.create_connection(("127.0.0.1", port), 20))
                time.sleep(0.02)
            return keep_busy(connections, length, seconds)
        finally:
            for connection in connections:
                connection.close()

    return measure


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
