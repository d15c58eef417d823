"""The metrics of one process, put together: provider, instruments, and the page of all workers."""

from collections.abc import Iterable
from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from telemetry import semconv
from telemetry.instruments import Instruments
from telemetry.metrics.families import Translator
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT, LimitedMeterProvider
from telemetry.metrics.multiprocess.collector import create_collector
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views
from telemetry.metrics.vocabulary import VOCABULARY
from telemetry.processes.registry import ProcessRegistry
from telemetry.sdk import exporters
from telemetry.settings import TelemetrySettings

SCOPE: Final = "telemetry"


class MetricsPipeline:
    """Instruments go in; the page of `/metrics` and the exporters that the environment names come out.

    Attributes:
        provider: limits the number of series. Hand it, not the SDK's, to whatever makes instruments.
        meter: makes the telemetry's own instruments.
        page: shows this process, or all workers of the service when this is one of several.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        resource: Resource,
        registry: ProcessRegistry,
        mappings: Iterable[MetricMapping] = (),
        limit: int = CARDINALITY_LIMIT,
    ) -> None:
        reader = FamilyReader(settings.metrics_names, Translator((*VOCABULARY, *mappings)))
        self._sdk_provider = MeterProvider(
            [reader, *exporters.metric_readers()], resource, shutdown_on_exit=False, views=views()
        )
        self.provider = LimitedMeterProvider(self._sdk_provider, limit)
        self.meter: Meter = self.provider.get_meter(SCOPE, schema_url=semconv.SCHEMA_URL)
        self.instruments = Instruments.create(self.meter)
        self._workers = create_collector(
            registry,
            reader.collect_own,
            self.provider.change_flag.test_and_clear,
            self.instruments.count_worker_restart,
        )
        self.page = MetricsPage(self._workers.collect if self._workers else reader.collect_own)

    def start(self) -> None:
        """Share the measurements with the other workers, if there are any."""
        if self._workers is not None:
            self._workers.start()

    def stop(self) -> None:
        """Share the measurements once more. The other workers do not see what is measured afterwards."""
        if self._workers is not None:
            self._workers.stop()

    def shutdown(self, deadline: float) -> None:
        """Export what was measured, within so many seconds."""
        try:
            self._sdk_provider.shutdown(timeout_millis=deadline * 1000)
        finally:
            self.provider.end_callbacks()
