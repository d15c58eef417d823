"""The pages of the console over full stores: a million runs of 200 jobs, the figures of 5,000 series, and 50,000 spans.

One worker serves the pages and other requests. A page's time is that of a request for it, from the first byte sent to the last one
received, compressed as for a browser.
"""

import gzip
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median, quantiles

import httpx
from opentelemetry.sdk.trace import TracerProvider

from bench.job_queries import fill
from bench.latency_under_scrape import load
from bench.progress import say
from bench.subprocess_runner import Subprocess
from bench.table import Table
from bench.uvicorn_server import served
from service.database import migrations
from telemetry.database import create_engine
from telemetry.recent.database import RECENT_FILE, RecentDatabase
from telemetry.recent.keeping import trace_rows
from telemetry.recent.keeping.span_codec import encode
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.plotted import REQUESTS, summed_name
from telemetry.recent.points.point_writer import add_points
from telemetry.recent.points.tiers import FINEST, round_up

RUNS, JOBS, SERIES, TRACES, SPANS = 1_000_000, 200, 5_000, 10_000, 5
QUICK = (10_000, 20, 200, 500, 5)
_A_SAMPLE = 1_000
_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]
_ROUNDS, _PAUSE = 40, 0.1
_SECONDS = 10.0
_TRACE = f"{1:032x}"
_PAGES = {
    "overview": "/console",
    "requests": "/console/requests",
    "requests, 14 days": "/console/requests?window=14d",
    "a route": "/console/requests/route?method=GET&route=/route/1",
    "jobs": "/console/jobs",
    "jobs, 14 days": "/console/jobs?window=14d",
    "a job": "/console/jobs/job_1",
    "outside": "/console/outside",
    "alerts": "/console/alerts",
    "traces": "/console/traces",
    "a trace": f"/console/traces/{_TRACE}",
    "logs": "/console/logs",
    "telemetry": "/console/telemetry",
}


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    home = directory / "console"
    home.mkdir()
    runs, jobs, series, traces, spans = QUICK if quick else (RUNS, JOBS, SERIES, TRACES, SPANS)
    _fill_runs(home, runs, jobs)
    _fill_recent(home, series, traces, spans)
    table = Table(
        "Pages of the console over full stores",
        ["", "p50 ms", "p95 ms", "kB", "others' p99 ms"],
        f"{runs:,} runs of {jobs} jobs, {series:,} series, {traces * spans:,} spans; kB: over the wire; "
        "others: requests for an unknown path on the same worker meanwhile",
    )
    with _served(home) as port, Subprocess(load) as client:
        client.call(port, 2.0)
        table.add("no page", "-", "-", "-", f"{quantiles(client.call(port, _SECONDS), n=100)[98]:.1f}")
        for name, path in _PAGES.items():
            say("console", name)
            try:
                took, size = _timed(port, path)
                others = _others(client, port, path, 3.0 if quick else _SECONDS)
            except httpx.HTTPStatusError as error:
                table.fail(name, error)
                continue
            table.add(
                name, f"{median(took):.0f}", f"{quantiles(took, n=20)[18]:.0f}", f"{size / 1000:.0f}", f"{others:.1f}"
            )
    yield table


def _fill_runs(home: Path, runs: int, jobs: int) -> None:
    engine = create_engine(f"sqlite:///{home}/sovani.db")
    migrations.migrate(engine)
    fill(engine, runs, jobs)
    engine.dispose()


def _fill_recent(home: Path, series: int, traces: int, spans: int) -> None:
    database = RecentDatabase(home / RECENT_FILE)
    newest = round_up(time.time(), FINEST) - FINEST
    for sample in range(360):
        if sample % 60 == 0:
            say("console", f"{sample} of 360 samples")
        with database.writing() as connection:
            add_points(connection, _sample(series), newest - (359 - sample) * FINEST)
    body = _body(spans)
    for first in range(0, traces, 1000):
        with database.writing() as connection:
            for number in range(first, min(traces, first + 1000)):
                columns = (
                    "request",
                    f"/route/{number % 1000}",
                    "GET",
                    "200",
                    0,
                    newest - number,
                    0.02,
                    spans,
                    len(body),
                    "sample",
                )
                trace_rows.write(connection, trace_rows.TraceRows(f"{number:032x}", columns, spans, body))
    database.close()


def _sample(series: int) -> dict[SeriesKey, Amount]:
    """A thousand of the series, as many as a sample keeps, and their sums by status."""
    found = {}
    bounds = json.dumps(_BOUNDS)
    for number in random.sample(range(series), min(series, _A_SAMPLE)):
        labels = {
            "endpoint": f"/route/{number // 5}",
            "method": "GET",
            "status": ("200", "201", "404", "422", "500")[number % 5],
        }
        found[SeriesKey(REQUESTS, json.dumps(labels, sort_keys=True), bounds)] = _amount()
    for status in ("200", "201", "404", "422", "500"):
        found[SeriesKey(summed_name(REQUESTS, ("status",)), json.dumps({"status": status}), bounds)] = _amount()
    for route in {json.loads(key.labels)["endpoint"] for key in found if key.family == REQUESTS}:
        labels = json.dumps({"endpoint": route, "method": "GET"}, sort_keys=True)
        found[SeriesKey(summed_name(REQUESTS, ("endpoint", "method")), labels, bounds)] = _amount()
    return found


def _amount() -> Amount:
    buckets = tuple(random.choice((0, 0, 1, 5)) for _ in range(len(_BOUNDS) + 1))
    return Amount(sum(buckets), sum(buckets) * 0.03, buckets)


def _body(spans: int) -> bytes:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bench")
    made = []
    with tracer.start_as_current_span(
        "GET /route", attributes={"http.request.method": "GET", "url.path": "/route/1"}
    ) as root:
        made.append(root)
        for _ in range(spans - 1):
            with tracer.start_as_current_span(
                "SELECT", attributes={"db.query.text": "SELECT * FROM reviews WHERE id = ?"}
            ) as child:
                made.append(child)
    return encode(made, 0)


def _served(home: Path) -> AbstractContextManager[int]:
    variables = {
        "DATABASE_URL": f"sqlite:///{home}/sovani.db",
        "DATA_DIR": str(home),
        "LOG_DIR": str(home / "log"),
        "SCHEDULER": "false",
    }
    return served("service.main:app", variables=variables, is_ready=lambda client: client.get("/readyz").is_success)


def _timed(port: int, path: str) -> tuple[list[float], int]:
    """Milliseconds of each request, and the bytes of the last response."""
    took, size = [], 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        for number in range(_ROUNDS + 3):
            started = time.perf_counter()
            with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as response:
                raw = b"".join(response.iter_raw())
            if number >= 3:
                took.append((time.perf_counter() - started) * 1000)
            response.raise_for_status()
            size = len(raw)
            assert gzip.decompress(raw) if response.headers.get("content-encoding") == "gzip" else raw
            time.sleep(0.02)
    return took, size


def _others(client: Subprocess, port: int, path: str, seconds: float) -> float:
    """The p99 of other requests while somebody looks at a page that is made ten times a second."""
    ended = threading.Event()

    def look() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as browser:
            while not ended.wait(_PAUSE):
                browser.get(path, headers={"accept-encoding": "gzip"})

    thread = threading.Thread(target=look)
    thread.start()
    try:
        return quantiles(client.call(port, seconds), n=100)[98]
    finally:
        ended.set()
        thread.join()
