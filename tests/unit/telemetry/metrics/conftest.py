"""The fixtures of the metrics: a real provider with the cardinality limit, and what Prometheus would scrape."""

from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from telemetry import semconv
from telemetry.instruments import Instruments
from telemetry.metrics.families import Translator
from telemetry.metrics.measuring import shared_file
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT, LimitedMeterProvider
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views
from telemetry.metrics.vocabulary import VOCABULARY
from tests.support.workers import Worker


@pytest.fixture(autouse=True)
def memory(tmp_path_factory, monkeypatch):
    """The place of files that are in memory, of this test alone."""
    directory = tmp_path_factory.mktemp("memory")
    monkeypatch.setattr(shared_file, "MEMORY", directory)
    return directory


class Stage:
    def __init__(
        self,
        vocabulary="service",
        *,
        limit=CARDINALITY_LIMIT,
        mappings=VOCABULARY,
        more_views=(),
        resource=None,
        readers=(),
    ):
        self.family_reader = FamilyReader(vocabulary, Translator(mappings))
        self.page = MetricsPage(self.family_reader.collect_own)
        self.reader = InMemoryMetricReader()
        self.sdk = MeterProvider(
            [self.family_reader, self.reader, *readers],
            resource or Resource({"service.name": "tests"}),
            shutdown_on_exit=False,
            views=[*views(), *more_views],
        )
        self.meters = LimitedMeterProvider(self.sdk, limit)
        self.meter = self.meters.get_meter("tests")

    @property
    def instruments(self):
        return Instruments.create(self.meter)

    @property
    def request_duration(self):
        """As the FastAPI instrumentation makes it."""
        return self.meter.create_histogram(semconv.HTTP_SERVER_DURATION, unit="s")

    def text(self):
        return self.page.render()[0].decode()

    def families(self):
        return {family.name: family for family in text_string_to_metric_families(self.text())}

    def series(self, sample):
        """The values of a sample's name on `/metrics`, by its labels."""
        return {
            tuple(sorted(each.labels.items())): each.value
            for family in self.families().values()
            for each in family.samples
            if each.name == sample
        }

    def points(self, instrument):
        data = self.reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return [point for metric in metrics if metric.name == instrument for point in metric.data.data_points]


@pytest.fixture
def make_stage() -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(*args, **kwargs):
        made.append(Stage(*args, **kwargs))
        return made[-1]

    yield make
    for stage in made:
        stage.sdk.shutdown()


@pytest.fixture
def stage(make_stage) -> Stage:
    return make_stage()


@pytest.fixture
def start_worker(tmp_path) -> Iterator[Callable[[], Worker]]:
    """Start another worker of one service."""
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(tmp_path / "workers" / "group").start())
        return made[-1]

    yield make
    for worker in made:
        if not worker.collector._stop.is_set():
            worker.stop()
