"""Stalls: how long requests take while somebody scrapes: uvicorn with two workers, each with a thousand label sets.

Requests come in at a pace that leaves the machine time to breathe, and scrapes one after the other, far more often than in life.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import httpx
from fastapi import FastAPI, Response

from bench.contenders import PATH, application, settings
from bench.progress import say
from bench.scrape import fill
from bench.subprocess_runner import Remote
from bench.table import Table
from telemetry import setup
from telemetry.metrics import switch_interval

WORKERS, LABEL_SETS = 2, 1_000
ROUNDS, QUICK_ROUNDS = 6, 2
_SECONDS = 3.0
_CONNECTIONS = 2
_PAUSE, _BETWEEN_SCRAPES = 0.01, 0.2
_PATIENCE = 60.0
_DIRECTORY, _NIMBLE = "BENCH_DIRECTORY", "BENCH_NIMBLE"


@dataclass
class Found:
    """Milliseconds."""

    requests: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        f"Requests while a page is made: ms, uvicorn, {WORKERS} workers, {LABEL_SETS:,} label sets each",
        ["", "median", "p99", "a scrape"],
        "p99: the median of several rounds; scraped five times a second",
    )
    for name, found in _measured(directory, QUICK_ROUNDS if quick else ROUNDS).items():
        scrape = f"{median(found.scrapes):.0f}" if found.scrapes else "-"
        table.add(name, f"{median(found.requests):.1f}", f"{median(found.p99):.1f}", scrape)
    yield table


def _measured(directory: Path, rounds: int) -> dict[str, Found]:
    found = {name: Found() for name in ("not scraped", "scraped", "scraped, without nimble()")}
    with Remote(load) as client, _served(directory, "1") as ours, _served(directory, "") as without:
        for number in range(rounds):
            say("stalls", f"round {number + 1} of {rounds}")
            for (name, each), port in zip(found.items(), (ours, ours, without), strict=True):
                with _scraping(port, each.scrapes if name != "not scraped" else None):
                    took = client.ask(port, _SECONDS)
                each.requests += took
                each.p99.append(quantiles(took, n=100)[98])
    return found


def served() -> FastAPI:
    """What each worker serves. Without `nimble`, turns are as long as they are by default."""
    if not os.environ[_NIMBLE]:
        setattr(switch_interval, "_SWITCH_SECONDS", 1.0)  # noqa: B010  # it is final, but here its effect is measured
    app = application()
    started = setup.start(app=app, settings=settings(Path(os.environ[_DIRECTORY])))
    fill(started.meter("bench"), LABEL_SETS)

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response((await started.metrics.page.render_aside())[0])

    return app


@contextmanager
def _served(directory: Path, nimble_is_on: str) -> Iterator[int]:
    own = directory / f"stalls-{nimble_is_on}"
    own.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    arguments = ("--factory", "bench.latency_under_scrape:served", "--workers", str(WORKERS), "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *arguments, "--no-access-log", "--log-level", "critical"],
        env={**os.environ, _DIRECTORY: str(own), _NIMBLE: nimble_is_on},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    """Until the page is that of all workers."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text
            if page.count("telemetry_worker_snapshot_age_seconds{") == WORKERS:
                return
        time.sleep(0.1)
    raise TimeoutError("uvicorn's workers did not start")


@contextmanager
def _scraping(port: int, scrapes: list[float] | None) -> Iterator[None]:
    """Scrapes for as long as it lasts, where there is a list for how long that takes."""
    over = threading.Event()
    thread = threading.Thread(target=_scrape, args=(port, over, scrapes))
    if scrapes is not None:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if scrapes is not None:
            thread.join()


def _scrape(port: int, over: threading.Event, scrapes: list[float]) -> None:
    while not over.wait(_BETWEEN_SCRAPES):
        began = time.perf_counter()
        httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False)
        scrapes.append((time.perf_counter() - began) * 1000)


def load() -> Callable[[int, float], list[float]]:
    """Requests on a few connections, each some time after the last one; how long each took, in ms."""

    def measure(port: int, seconds: float) -> list[float]:
        took: list[float] = []
        asking = [threading.Thread(target=_ask, args=(port, seconds, took)) for _ in range(_CONNECTIONS)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        return took

    return measure


def _ask(port: int, seconds: float, took: list[float]) -> None:
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end:
            began = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(65536)
            while not answer.endswith(b"}"):  # the head and the JSON come apart
                answer += connection.recv(65536)
            took.append((time.perf_counter() - began) * 1000)
            time.sleep(_PAUSE)
