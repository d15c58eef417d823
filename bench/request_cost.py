"""The CPU time of a request in process, over bare FastAPI: one JSON route, called directly through ASGI.

The CPU time of the whole process, exporter threads included, hardly depends on the machine's other load, unlike wall-clock
time. The contenders take turns in several generations of processes, since a process's memory layout is worth some microseconds.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from bench.contenders import BARE, CONTENDERS, PATH, build
from bench.progress import say
from bench.quartile import lower_quartile
from bench.subprocess_runner import MeasurementFailed, SubprocessGroup
from bench.table import NOT_MEASURED, Table

ROUNDS, QUICK_ROUNDS = 25, 12
GENERATIONS, QUICK_GENERATIONS = 2, 1
_REQUESTS = 200
_WARM_UP = 800
_HEADERS = [
    (b"host", b"127.0.0.1:8080"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"connection", b"keep-alive"),
]


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table("A request in process: one JSON route through ASGI", ["", "CPU µs", "over bare", "ratio"])
    number, generations = (QUICK_ROUNDS, QUICK_GENERATIONS) if quick else (ROUNDS, GENERATIONS)
    rounds: list[dict[str, float]] = []
    errors: dict[str, MeasurementFailed] = {}
    for i in range(1, generations + 1):
        with SubprocessGroup({name: (driver, name, directory) for name in CONTENDERS}) as group:
            rounds.extend(_rounds(group, number, f"generation {i} of {generations}"))
        errors |= group.errors
    costs = {
        name: lower_quartile(costs_of_round[name] for costs_of_round in rounds)
        for name in CONTENDERS
        if name not in errors
    }
    for name in CONTENDERS:
        if name in errors:
            table.fail(name, errors[name])
        else:
            table.add(name, *_cells(costs[name], costs[BARE]))
    yield table


def _rounds(group: SubprocessGroup, number: int, generation: str) -> Iterator[dict[str, float]]:
    say(f"request: {generation}")
    for name in group.names:
        group.call(name, _WARM_UP)
    for i, results in enumerate(group.rounds(number, _REQUESTS), 1):
        say(f"request: {generation}", f"round {i} of {number}")
        yield results


def _cells(cost: float, bare: float) -> tuple[str, str, str]:
    return f"{cost:.1f}", f"{cost - bare:+.1f}" if cost != bare else NOT_MEASURED, f"{cost / bare:.2f}"


def driver(name: str, directory: Path) -> Callable[[int], float]:
    """Returns a function that sends so many requests and returns the CPU microseconds of each."""
    app = build(name, directory)
    runner = asyncio.Runner()

    def measure(requests: int) -> float:
        started = process_time()
        runner.run(drive(app, requests))
        return (process_time() - started) / requests * 1e6

    return measure


async def drive(app: Any, requests: int) -> None:
    statuses = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    for _ in range(requests):
        await app(_scope(), receive, send)
    assert statuses == {200}


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": _HEADERS,
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
        "state": {},
    }
