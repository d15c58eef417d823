"""The metrics of one process, put together: provider, instruments, and the page of all workers."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from telemetry import semconv
from telemetry.instruments import Instruments
from telemetry.metrics.families import Translator
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT, LimitedMeterProvider
from telemetry.metrics.measuring.forked_counts import reset_counts
from telemetry.metrics.measuring.shared_series import SharedMeasurements
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.membership import Membership
from telemetry.metrics.multiprocess.shared_values import SharedValues
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views
from telemetry.metrics.vocabulary import VOCABULARY
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry
from telemetry.sdk import exporters
from telemetry.settings import TelemetrySettings

SCOPE: Final = "telemetry"


class MetricsPipeline(forks.ForkAware):
    """Instruments go in; the page of `/metrics` and the exporters that the environment names come out.

    Attributes:
        membership: this process among those that serve with it.
        provider: limits the number of series. Hand it, not the SDK's, to whatever makes instruments.
        sdk_provider: the SDK's.
        meter: makes the telemetry's own instruments.
        page: shows this process, or all workers of the service when this is one of several.
        mappings: those of the application, besides the vocabulary.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        resource: Resource,
        registry: ProcessRegistry,
        mappings: Iterable[MetricMapping] = (),
        limit: int = CARDINALITY_LIMIT,
    ) -> None:
        self.mappings = (*mappings,)
        reader = FamilyReader(settings.metrics_names, Translator((*VOCABULARY, *self.mappings)))
        self.sdk_provider = MeterProvider(
            [reader, *exporters.metric_readers()], resource, shutdown_on_exit=False, views=views()
        )
        shared = SharedMeasurements()
        self.provider = LimitedMeterProvider(self.sdk_provider, limit, shared)
        self.meter: Meter = self.provider.get_meter(SCOPE, schema_url=semconv.SCHEMA_URL)
        self.instruments = Instruments.create(self.meter)
        self.membership = Membership(
            settings.telemetry_group,
            registry,
            reader.collect_own,
            partial(
                MultiprocessCollector,
                has_changed=self.provider.change_flag.test_and_clear,
                count_ended=self.instruments.count_worker_restart,
                shared=SharedValues(shared, reader.translate),
            ),
        )
        self.page = MetricsPage(self.membership.collect)
        self._reader = reader
        forks.register(self)

    def restart_in_child(self) -> None:
        """What the parent has counted is the parent's."""
        self._reader.restart()
        reset_counts(self.sdk_provider)

    def start(self) -> None:
        """Share the measurements with the other workers, if there are any."""
        self.membership.start()

    def stop(self) -> None:
        """Share the measurements once more. The other workers do not see what is measured afterwards."""
        self.membership.stop()

    def shutdown(self, deadline: float) -> None:
        """Export what was measured, within so many seconds."""
        try:
            self.sdk_provider.shutdown(timeout_millis=deadline * 1000)
        finally:
            self.membership.stop()  # if `stop` has failed
            self.provider.end_callbacks()
