"""The latency of requests during scrapes: uvicorn with two workers, each with a thousand time series.

The load leaves the machine idle time. Scrapes follow one another, far more often than in production.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import httpx
from fastapi import FastAPI, Response

from bench.contenders import PATH, application, settings
from bench.progress import say
from bench.scrape import fill
from bench.subprocess_runner import Subprocess
from bench.table import Table
from bench.uvicorn_server import served
from telemetry import setup
from telemetry.metrics import switch_interval

WORKERS, LABEL_SETS = 2, 1_000
ROUNDS, QUICK_ROUNDS = 6, 2
_SECONDS = 3.0
_CONNECTIONS = 2
_REQUEST_PAUSE, _SCRAPE_PAUSE = 0.01, 0.2
_DIRECTORY, _SHORT_INTERVAL = "BENCH_DIRECTORY", "BENCH_SHORT_INTERVAL"


@dataclass
class Latencies:
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


def _measured(directory: Path, rounds: int) -> dict[str, Latencies]:
    found = {name: Latencies() for name in ("not scraped", "scraped", "scraped, default switch interval")}
    with Subprocess(load) as client, _served(directory, "1") as ours, _served(directory, "") as without:
        for number in range(rounds):
            say("stalls", f"round {number + 1} of {rounds}")
            for (name, each), port in zip(found.items(), (ours, ours, without), strict=True):
                with _scraping(port, each.scrapes if name != "not scraped" else None):
                    took = client.call(port, _SECONDS)
                each.requests += took
                each.p99.append(quantiles(took, n=100)[98])
    return found


def create_app() -> FastAPI:
    """The application of each worker, optionally with the default switch interval during scrapes."""
    if not os.environ[_SHORT_INTERVAL]:
        setattr(switch_interval, "_SWITCH_SECONDS", 1.0)  # noqa: B010  # it is final, but its effect is measured here
    app = application()
    started = setup.start(app=app, settings=settings(Path(os.environ[_DIRECTORY])))
    fill(started.meter("bench"), LABEL_SETS)

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response((await started.metrics.page.respond_in_thread())[0])

    return app


def _served(directory: Path, short_interval: str) -> AbstractContextManager[int]:
    own = directory / f"stalls-{short_interval}"
    own.mkdir()
    return served(
        *("--factory", "bench.latency_under_scrape:create_app", "--workers", str(WORKERS)),
        variables={_DIRECTORY: str(own), _SHORT_INTERVAL: short_interval},
        is_ready=_shows_all_workers,
    )


def _shows_all_workers(client: httpx.Client) -> bool:
    return client.get("/metrics").text.count("telemetry_worker_snapshot_age_seconds{") == WORKERS


@contextmanager
def _scraping(port: int, scrapes: list[float] | None) -> Iterator[None]:
    """Scrape in a thread while the context lasts, and append the durations; without a list, do not scrape."""
    stop = threading.Event()
    thread = threading.Thread(target=_scrape, args=(port, stop, scrapes))
    if scrapes is not None:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if scrapes is not None:
            thread.join()


def _scrape(port: int, stop: threading.Event, scrapes: list[float]) -> None:
    while not stop.wait(_SCRAPE_PAUSE):
        started = time.perf_counter()
        httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False)
        scrapes.append((time.perf_counter() - started) * 1000)


def load() -> Callable[[int, float], list[float]]:
    """Send requests on a few connections, with pauses. Returns the duration of each in ms."""

    def measure(port: int, seconds: float) -> list[float]:
        took: list[float] = []
        threads = [
            threading.Thread(target=_request_repeatedly, args=(port, seconds, took)) for _ in range(_CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return took

    return measure


def _request_repeatedly(port: int, seconds: float, took: list[float]) -> None:
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end:
            started = time.perf_counter()
            connection.sendall(request)
            response = connection.recv(65536)
            while not response.endswith(b"}"):  # headers and body may arrive separately
                response += connection.recv(65536)
            took.append((time.perf_counter() - started) * 1000)
            time.sleep(_REQUEST_PAUSE)
