"""The time of a scrape of several workers, beside prometheus_client's multiprocess mode.

Each worker is a process with the same time series; one of them is scraped. Then the same with the files that a thousand restarts
leave.
"""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.progress import say
from bench.scrape import fill, views
from bench.table import Table

WORKERS = (1, 2, 4)
LABEL_SETS = (100, 1_000)
RESTARTS = 1_000
_SCRAPES = 9
_TIMEOUT = 120.0


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    numbers = WORKERS[::2] if quick else WORKERS
    table = Table(
        "A scrape of several workers: ms until the page is there, one counter and one histogram of 13 bounds",
        ["", *(f"{number} x {sets:,}" for sets in LABEL_SETS for number in numbers), *_after(quick=quick)],
        "workers x label sets; the best of several scrapes, after a first one",
    )
    for name, contender in CONTENDERS.items():
        cells = []
        for sets in LABEL_SETS:
            for number in numbers:
                say(f"workers: {name}", f"{number} x {sets:,}")
                cells.append(_measured(directory / f"{name[:4]}-{number}-{sets}", contender, number, sets, restarts=0))
        say(f"workers: {name}", f"after {RESTARTS:,} restarts")
        restarts = 100 if quick else RESTARTS
        cells.append(_measured(directory / f"{name[:4]}-restarts", contender, 4, LABEL_SETS[0], restarts=restarts))
        table.add(name, *(f"{cell:,.1f}" for cell in cells))
    yield table


def _after(*, quick: bool) -> list[str]:
    return [f"4 x {LABEL_SETS[0]}, after {100 if quick else RESTARTS:,} restarts"]


Contender = Callable[[str, int, int, Connection], None]


def _measured(directory: Path, contender: Contender, number: int, label_sets: int, *, restarts: int) -> float:
    directory.mkdir()
    with ExitStack() as stack:
        connections = [stack.enter_context(_worker(contender, directory, label_sets, restarts)) for _ in range(number)]
        for each in connections:
            _reply(each)  # it is ready
        first = connections[0]
        first.send("restarts")
        _reply(first)
        first.send("scrape")
        _reply(first)
        took = []
        for _ in range(_SCRAPES if not restarts else 5):
            first.send("scrape")
            took.append(float(_reply(first)))
        return min(took)


def _reply(connection: Connection) -> Any:
    if not connection.poll(_TIMEOUT):
        raise TimeoutError("a worker does not answer")
    return connection.recv()


@contextmanager
def _worker(contender: Contender, directory: Path, label_sets: int, restarts: int) -> Iterator[Connection]:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # the library reads it when it is imported
    here, there = multiprocessing.Pipe()
    spawned = multiprocessing.get_context("spawn")
    process = spawned.Process(target=contender, args=(str(directory), label_sets, restarts, there), daemon=True)
    process.start()
    try:
        yield here
    finally:
        process.terminate()
        process.join(10)
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def _serve(connection: Connection, restart: Callable[[], None], page: Callable[[], bytes]) -> None:
    connection.send("ready")
    while True:
        if connection.recv() == "restarts":
            restart()
            connection.send("done")
            continue
        started = time.perf_counter()
        page()
        connection.send((time.perf_counter() - started) * 1000)


def ours(directory: str, label_sets: int, restarts: int, connection: Connection) -> None:
    """Restarts leave snapshots of dead workers, which the collector archives as in a service."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415  # each contender imports its own packages

    from telemetry.metrics.measuring.cardinality import LimitedMeterProvider  # noqa: PLC0415
    from telemetry.metrics.multiprocess.collector import MultiprocessCollector  # noqa: PLC0415
    from telemetry.metrics.multiprocess.snapshot import Snapshot, replace_file  # noqa: PLC0415
    from telemetry.metrics.multiprocess.worker_files import WorkerFiles  # noqa: PLC0415
    from telemetry.metrics.page import MetricsPage  # noqa: PLC0415
    from telemetry.metrics.reader import FamilyReader  # noqa: PLC0415
    from telemetry.processes.registry import ProcessRegistry  # noqa: PLC0415

    reader = FamilyReader()
    provider = LimitedMeterProvider(MeterProvider([reader], views=views(), shutdown_on_exit=False), label_sets + 1)
    fill(provider.get_meter("bench"), label_sets)
    registry = ProcessRegistry(Path(directory))
    registry.join("bench")
    collector = MultiprocessCollector(registry, reader.collect_own, provider.change_flag.test_and_clear)
    page = MetricsPage(collector.collect)
    collector.start()

    def restart() -> None:
        for number in range(restarts):
            other = ProcessRegistry(Path(directory))
            other.join("bench")
            files = WorkerFiles(other)
            replace_file(files.snapshot_path, Snapshot(files.label, time.time(), reader.collect_own()).encode())
            other.release()
            if number % 10 == 0:
                collector._archive_dead()
        collector._archive_dead()

    _serve(connection, restart, lambda: page.render()[0])


def client_library(directory: str, label_sets: int, restarts: int, connection: Connection) -> None:
    """Restarts leave the files of dead workers, as the library documents; only their gauges are removed."""
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    from bench.scrape import BOUNDS  # noqa: PLC0415

    labels = ["method", "route", "status"]
    counter = Counter("work_done", "Work done.", labels)
    histogram = Histogram("work_duration_seconds", "How long.", labels, buckets=BOUNDS)
    for i in range(label_sets):
        values = ("GET", f"/items/{i}", "200")
        counter.labels(*values).inc()
        histogram.labels(*values).observe(i % 20 / 2)

    def restart() -> None:
        for number in range(restarts):
            for family in ("counter", "histogram"):
                shutil.copyfile(
                    f"{directory}/{family}_{os.getpid()}.db", f"{directory}/{family}_{10_000_000 + number}.db"
                )

    def page() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)

    _serve(connection, restart, page)


CONTENDERS: dict[str, Any] = {
    "this project's page": ours,
    "prometheus_client, multiprocess mode": client_library,
}
