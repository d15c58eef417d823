"""The CPU time of a scrape: one histogram and one counter, by the number of their time series."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from bench.progress import say
from bench.subprocess_runner import MeasurementFailed, Subprocess
from bench.table import Table
from telemetry import semconv
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import BUCKETS

LABEL_SETS = (100, 1_000, 10_000)
BOUNDS = BUCKETS[semconv.HTTP_SERVER_DURATION]
_SCRAPES = {100: 15, 1_000: 7, 10_000: 2}

Page = Callable[[], bytes]


def tables(_directory: Path, *, quick: bool) -> Iterator[Table]:
    sizes = LABEL_SETS[:2] if quick else LABEL_SETS
    table = Table(
        f"A scrape: CPU ms, one histogram of {len(BOUNDS)} bounds and one counter, by label sets",
        ["", *(f"{size:,}" for size in sizes), f"kB at {sizes[-1]:,}"],
        "the best of several scrapes, after a first one",
    )
    for name, page in PAGES.items():
        try:
            table.add(name, *_cells(name, page, sizes))
        except MeasurementFailed as error:
            table.fail(name, error)
    yield table


def _cells(name: str, page: Callable[[int], Page], sizes: tuple[int, ...]) -> list[str]:
    milliseconds: list[float] = []
    length = 0
    with Subprocess(scraper, page) as process:
        for size in sizes:
            say(f"scrape: {name}", f"{size:,} label sets")
            took, length = process.call(size, _SCRAPES[size])
            milliseconds.append(took)
    return [*(f"{took:,.1f}" for took in milliseconds), f"{length / 1000:,.0f}"]


def scraper(page: Callable[[int], Page]) -> Callable[[int, int], tuple[float, int]]:
    def measure(label_sets: int, scrapes: int) -> tuple[float, int]:
        write = page(label_sets)
        length = len(write())
        return min(_timed(write) for _ in range(scrapes)), length

    return measure


def _timed(write: Page) -> float:
    started = process_time()
    write()
    return (process_time() - started) * 1000


def ours(label_sets: int) -> Page:
    reader = FamilyReader()
    page = MetricsPage(reader.collect_own)
    provider = MeterProvider([reader], views=views(), shutdown_on_exit=False)
    fill(LimitedMeterProvider(provider, label_sets + 1).get_meter("bench"), label_sets)
    return lambda: page.render()[0]


def exporter(label_sets: int) -> Page:
    return _exporter(label_sets, scope_info=True)


def exporter_without_scope(label_sets: int) -> Page:
    return _exporter(label_sets, scope_info=False)


def _exporter(label_sets: int, *, scope_info: bool) -> Page:
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(scope_info_enabled=scope_info, registry=registry)
    provider = MeterProvider([reader], views=views(), shutdown_on_exit=False)
    fill(provider.get_meter("bench"), label_sets)
    return lambda: generate_latest(registry)


def client_library(label_sets: int) -> Page:
    registry = CollectorRegistry()
    labels = ["method", "route", "status"]
    counter = Counter("work_done", "Work done.", labels, registry=registry)
    histogram = Histogram("work_duration_seconds", "How long.", labels, buckets=BOUNDS, registry=registry)
    for i in range(label_sets):
        values = ("GET", f"/items/{i}", "200")
        counter.labels(*values).inc()
        histogram.labels(*values).observe(i % 20 / 2)
    return lambda: generate_latest(registry)


def views() -> list[View]:
    return [View(instrument_name="work.duration", aggregation=ExplicitBucketHistogramAggregation(BOUNDS))]


def fill(meter: Meter, label_sets: int) -> None:
    counter = meter.create_counter("work.done", description="Work done.")
    histogram = meter.create_histogram("work.duration", "s", "How long.")
    for i in range(label_sets):
        attributes: dict[str, str | int] = {"method": "GET", "route": f"/items/{i}", "status": 200}
        counter.add(1, attributes)
        histogram.record(i % 20 / 2, attributes)


PAGES: dict[str, Callable[[int], Page]] = {
    "this project's page": ours,
    "opentelemetry-exporter-prometheus": exporter,
    "the same, scope_info_enabled=False": exporter_without_scope,
    "prometheus_client": client_library,
}
