"""The speed and memory of a sync: Wildberries orders from a sandbox into an empty database."""

import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bench.databases import DATABASES
from bench.progress import say
from bench.quartile import lower_quartile
from bench.subprocess_runner import MeasurementFailed, Subprocess
from bench.table import Table
from service.bootstrap import Service
from service.database import migrations
from service.integrations.marketplace import Order, Page, Position, Source
from service.orders.sync import OrderSync
from service.sandbox.credentials import wb_token
from service.sandbox.supervisor import is_sandbox_at
from service.settings import Settings
from service.sync.ingestion import BATCH_ROWS

ORDERS, QUICK_ORDERS = 200_000, 40_000
_HOST = "127.0.0.1"
_TIMEOUT = 60.0
_MB = 1e6


@dataclass(slots=True)
class Sync:
    """What a sync did. `commits` are the seconds of its own work and the rows committed by then."""

    seconds: float = 0.0
    peak: float = 0.0
    commits: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    @property
    def rows(self) -> int:
        return self.commits[-1][1]

    def rate(self, begin: float, end: float) -> float:
        """Rows per second between two shares of all rows."""
        (began, before), (ended, after) = (self._commit(share * self.rows) for share in (begin, end))
        return (after - before) / (ended - began)

    def undisturbed_rate(self, begin: float, end: float) -> float:
        """Rows per second between the two shares, by the first quartile of the transactions."""
        steps = [(ended - began, rows - before, rows) for (began, before), (ended, rows) in pairwise(self.commits)]
        whole = [
            (took, many) for took, many, rows in steps if begin < rows / self.rows <= end and many > BATCH_ROWS / 2
        ]
        return 1 / lower_quartile(took / many for took, many in whole)

    def _commit(self, rows: float) -> tuple[float, int]:
        return next(commit for commit in self.commits if commit[1] >= rows)


class TimedSource:
    """A source whose clock stops while it waits for the marketplace, which is not the sync's work."""

    def __init__(self, source: Source[Order]) -> None:
        self.name = source.name
        self._source = source
        self._began = time.perf_counter()
        self._waited = 0.0

    def clock(self) -> float:
        return time.perf_counter() - self._began - self._waited

    def pages(self, position: Position) -> Iterator[Page[Order]]:
        pages = self._source.pages(position)
        while True:
            requested = time.perf_counter()
            page = next(pages, None)
            self._waited += time.perf_counter() - requested
            if page is None:
                return
            yield page


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    orders = QUICK_ORDERS if quick else ORDERS
    table = Table(
        f"A sync: {orders:,} orders of Wildberries into an empty database, and another sync after it",
        ["", "seconds", "rows/s", "of 1st quarter", "of last quarter", "last / 1st", "peak MB", "next sync s"],
        "rows/s: without the time in which the sandbox makes its answers; last / 1st: of transactions that little else disturbed; "
        "peak: of the process as a whole",
    )
    with _sandbox(directory, orders) as url:
        for name, opened in DATABASES.items():
            say(f"sync: {name}")
            try:
                with (
                    opened(directory) as database_url,
                    Subprocess(syncing, database_url, url, directory / name) as process,
                ):
                    table.add(name, *_cells(process.call(), process.call(), orders))
            except MeasurementFailed as error:
                table.fail(name, error)
    yield table


def _cells(first: Sync, second: Sync, orders: int) -> tuple[str, ...]:
    if first.rows < orders:
        raise MeasurementFailed(f"only {first.rows:,} rows arrived")
    return (
        f"{first.seconds:.1f}",
        *(f"{rate:,.0f}" for rate in (first.rate(0, 1), first.rate(0, 0.25), first.rate(0.75, 1))),
        f"{first.undisturbed_rate(0.75, 1) / first.undisturbed_rate(0, 0.25):.2f}",
        f"{max(first.peak, second.peak):.0f}",
        f"{second.seconds:.2f}",
    )


def syncing(database_url: str, sandbox_url: str, directory: Path) -> Callable[[], Sync]:
    """Run the service's own sync, with a clock at its source."""
    settings = Settings(
        database_url=database_url,
        data_dir=directory,
        log_dir=directory,
        log_level="WARNING",
        wb_api_token=wb_token(),
        wb_feedbacks_url=f"{sandbox_url}/wb-feedbacks",
        wb_statistics_url=f"{sandbox_url}/wb-statistics",
    )
    runtime = Service(settings)
    migrations.migrate(runtime.engine)
    return lambda: _sync(runtime)


def _sync(runtime: Service) -> Sync:
    seen, source = Sync(), TimedSource(*runtime.clients.wb_orders.sources())

    def record(status: str, number: int) -> None:
        runtime.instruments.orders_processed.add(number, {"marketplace": "wb", "status": status})
        seen.commits.append((source.clock(), seen.rows + number))

    started = time.perf_counter()
    OrderSync("wb", [source], runtime.engine, record, lambda: datetime.now(UTC)).run({})
    seen.seconds, seen.peak = time.perf_counter() - started, _peak()
    return seen


def _peak() -> float:
    """The peak memory in MB: of the process alone on Linux; `getrusage` never says less than the parent had."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / _MB
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (used if sys.platform == "darwin" else used * 1024) / _MB


@contextmanager
def _sandbox(directory: Path, orders: int) -> Iterator[str]:
    """Run a sandbox without rate limits, since the measurements of several databases share it. Yields its URL."""
    with socket.create_server((_HOST, 0)) as probe:
        port = probe.getsockname()[1]
    options = (f"--option=wb_orders={orders}", "--option=wb_limits=false")
    command = (sys.executable, "-m", "service.sandbox", "--with-parent", "--port", str(port), *options)
    with (directory / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(port, process)
        yield f"http://{_HOST}:{port}"
    finally:
        process.kill()
        process.communicate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _TIMEOUT
    while not is_sandbox_at(_HOST, port):
        if process.poll() is not None or time.monotonic() > end:
            raise MeasurementFailed("the sandbox did not begin to answer")
        time.sleep(0.1)
