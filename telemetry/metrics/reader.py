"""Reads what the SDK has measured at this moment, as metric families for Prometheus."""

import threading
from typing import Any, Literal

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Metric, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from telemetry.metrics.families import Family, Translator, pairs, translated_labels


class FamilyReader(PrometheusMetricReader):
    """A Prometheus reader that speaks the service's vocabulary, or OpenTelemetry's plain translation.

    It has a registry of its own: readers that share one export every series twice.
    """

    def __init__(
        self, vocabulary: Literal["service", "otel"] = "service", translator: Translator | None = None
    ) -> None:
        super().__init__(scope_info_enabled=False, registry=CollectorRegistry())
        self._translator = Translator(()) if vocabulary == "otel" else translator or Translator()
        self._collected: MetricsData | None = None
        self._one_at_a_time = threading.Lock()

    def families(self) -> list[Family]:
        """Read what this process has measured. Callbacks of observable instruments run in this thread."""
        with self._one_at_a_time:
            self._collected = None
            self.collect()
            data, self._collected = self._collected, None
            if data is None:
                return self._translator.families(())
            families = self._translator.families(_metrics(data))
            return [_target_info(data.resource_metrics[0].resource), *families]

    def _receive_metrics(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002  # the SDK's signature
        **_kwargs: Any,
    ) -> None:
        """The reader's documented seam: where the SDK hands over what it collected."""
        self._collected = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the SDK's signature
        """Do nothing: families are read on request. What is collected in between, the exporter would show a second time."""
        return True


def _metrics(data: MetricsData) -> list[Metric]:
    return [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]


def _target_info(resource: Resource) -> Family:
    return Family(
        "target_info", "gauge", "Target metadata.", {pairs(translated_labels(resource.attributes)): 1}, across="once"
    )
