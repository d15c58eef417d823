"""Fixtures of the job tests: real OpenTelemetry providers, and a list that receives the runs."""

from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from telemetry.instruments import Instruments
from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring
from tests.support.job_spans import processor_into


@dataclass
class Stage:
    runs: list = field(default_factory=list)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self):
        self.instruments = Instruments.create(MeterProvider([self.reader], shutdown_on_exit=False).get_meter("tests"))

    def tracer(self, record=None, limits=None):
        provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False, span_limits=limits or SpanLimits())
        provider.add_span_processor(
            processor_into(record or self.runs.append, instruments=self.instruments, worker="host:1")
        )
        return provider.get_tracer("tests")

    def activate(self, recorder=None, *, limits=None):
        """Record into the recorder; without one, into the list."""
        tracer = self.tracer(recorder.record if recorder else None, limits)
        monitor.activate(JobMonitoring(tracer, recorder))
        return tracer

    def ended(self):
        return [run for run in self.runs if run.status != "running"]

    def points(self, metric):
        found = [each for each in self._metrics() if each.name == metric]
        return {tuple(sorted(point.attributes.items())): point for each in found for point in each.data.data_points}

    def names(self):
        return {metric.name for metric in self._metrics()}

    def _metrics(self):
        data = self.reader.get_metrics_data()
        return [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []


@pytest.fixture
def stage():
    yield Stage()
    monitor.deactivate()


@pytest.fixture
def recording(stage):
    stage.activate()
    return stage
