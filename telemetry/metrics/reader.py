"""The page that Prometheus reads, made from what the SDK collects at that moment."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Metric, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from telemetry.metrics import exposition
from telemetry.metrics.families import Family, Translator, pairs, translated_labels
from telemetry.metrics.switch_interval import short_switch_interval


class MetricsPage(PrometheusMetricReader):
    """A Prometheus reader whose page speaks the service's vocabulary, or OpenTelemetry's plain translation.

    It has a registry of its own: readers that share one export every series twice. A page is made by whoever asks for it,
    in their thread; callbacks of observable instruments run there too, so on an event loop ask for `render_aside`.
    """

    def __init__(
        self, vocabulary: Literal["service", "otel"] = "service", translator: Translator | None = None
    ) -> None:
        super().__init__(scope_info_enabled=False, registry=CollectorRegistry())
        self._translator = Translator(()) if vocabulary == "otel" else translator or Translator()
        self._collected: MetricsData | None = None
        self._one_at_a_time = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "metrics-page")
        self.whole: Callable[[], list[Family]] = self.own
        """What the page shows: this process, unless it is one of several workers."""

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page, and its content type."""
        kind = exposition.content_type(accept)
        with short_switch_interval():
            return exposition.write(self.whole(), kind), kind

    async def render_aside(self, accept: str = "") -> tuple[bytes, str]:
        """The same, in the page's own thread, for whoever is on an event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.render, accept)

    def own(self) -> list[Family]:
        """What this process has measured."""
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
        """A page is made when it is asked for. (What is collected in between, the exporter shows a second time.)"""
        return True


def _metrics(data: MetricsData) -> list[Metric]:
    return [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]


def _target_info(resource: Resource) -> Family:
    return Family(
        "target_info", "gauge", "Target metadata.", {pairs(translated_labels(resource.attributes)): 1}, across="once"
    )
