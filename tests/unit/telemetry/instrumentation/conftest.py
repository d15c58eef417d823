"""The fixtures of the instrumentation: real providers with in-memory exporters, and what Prometheus would scrape."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Conventions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client.parser import text_string_to_metric_families

from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from telemetry.instrumentation.libraries import uninstrument_libraries
from telemetry.instrumentation.pool_metrics import observe_connections
from telemetry.instruments import Instruments
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views


class Signals:
    """What the instrumentation emits: `spans`, and the series of `/metrics`."""

    def __init__(self, sampler=ALWAYS_ON):
        reader = FamilyReader()
        self.page = MetricsPage(reader.collect_own)
        self.sdk = MeterProvider([reader], shutdown_on_exit=False, views=views())
        self.meters = LimitedMeterProvider(self.sdk)
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.tracers.get_tracer("tests")
        meter = self.meters.get_meter("tests")
        self.instruments = Instruments.create(meter)
        observe_connections(meter)

    def instrument(self, app, untraced=(), **options):
        """Count and trace the requests of an application here."""
        providers = {"tracer_provider": self.tracers, "meter_provider": self.meters}
        FastAPIInstrumentor.instrument_app(app, untraced_paths=untraced, **{**providers, **options})

    @property
    def spans(self):
        return list(self.exporter.get_finished_spans())

    def span(self):
        [only] = self.spans
        return only

    def series(self, sample):
        """The values of a sample's name on `/metrics`, by the values of its labels in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(each.labels.items())): each.value
            for family in text_string_to_metric_families(self.page.render()[0].decode())
            for each in family.samples
            if each.name == sample
        }

    def requests(self):
        """`(endpoint, method, status)` and how many there were."""
        return self.series("http_requests_total")

    def close(self):
        self.sdk.shutdown()
        self.tracers.shutdown()


@pytest.fixture
def signals(request: pytest.FixtureRequest) -> Iterator[Signals]:
    signals = Signals(getattr(request, "param", ALWAYS_ON))
    yield signals
    signals.close()


@pytest.fixture(autouse=True)
def speaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Selects the semantic conventions of the published packages. They read the variable once for a process; here, for each test."""

    def speak(conventions: str) -> None:
        monkeypatch.setattr(Conventions, "_initialized", False)
        monkeypatch.setattr(Conventions, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", conventions)

    speak("http,database")
    yield speak
    uninstrument_libraries()  # they are global to the process


class _Server(uvicorn.Server):
    """Sets an event when it accepts requests."""

    def __init__(self, config):
        super().__init__(config)
        self.accepting = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.accepting.set()


@pytest.fixture
def serve() -> Callable:
    """A real server for an application, in a thread: `with serve(app) as url`."""

    @contextmanager
    def serving(app, **options):
        server = _Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, **options))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert server.accepting.wait(10)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()

    return serving
