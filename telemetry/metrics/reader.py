"""Reads what the SDK has measured at this moment, as metric families for Prometheus."""

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Metric, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from telemetry.metrics.families import Family, Translator
from telemetry.metrics.labels import pairs, translated_labels


class FamilyReader(PrometheusMetricReader):
    """A Prometheus reader with the service's metric names, or OpenTelemetry's own translation.

    It has a registry of its own: readers that share one export every series twice.
    """

    def __init__(
        self, vocabulary: Literal["service", "otel"] = "service", translator: Translator | None = None
    ) -> None:
        super().__init__(scope_info_enabled=False, registry=CollectorRegistry())
        self._translator = Translator(()) if vocabulary == "otel" else translator or Translator()
        self._collected: MetricsData | None = None
        self._collect_lock = threading.RLock()

    def collect_own(self) -> list[Family]:
        """Collect the families of this process. Callbacks of observable instruments run in this thread."""
        with self._collect_lock:
            self._collected = None
            self.collect()
            data, self._collected = self._collected, None
            if data is None:
                return self._translator.translate(())
            families = self._translator.translate_scopes(_scopes(data))
            return [_target_info(data.resource_metrics[0].resource), *families]

    def translate(self, metrics: Iterable[Metric]) -> list[Family]:
        """The families of metrics of another process, with the keys of those of this one. It keeps nothing of them."""
        return self._translator.renewed().translate(metrics)

    def restart(self) -> None:
        """In a forked child: a thread of the parent may have held the lock."""
        self._collected, self._collect_lock = None, threading.RLock()

    def _receive_metrics(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002  # the SDK's signature
        **_kwargs: Any,
    ) -> None:
        """The documented seam of a reader: the SDK passes what it collected."""
        self._collected = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the SDK's signature
        """Do nothing: metrics are collected when scraped. (The exporter would show a collection in between twice.)"""
        return True


def _scopes(data: MetricsData) -> list[tuple[str, Sequence[Metric]]]:
    return [
        (str(each.scope.name), each.metrics) for resource in data.resource_metrics for each in resource.scope_metrics
    ]


def _target_info(resource: Resource) -> Family:
    labels = pairs(translated_labels(resource.attributes))
    return Family("target_info", "gauge", "Target metadata.", {labels: 1}, gauge_mode="once")
