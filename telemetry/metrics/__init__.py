"""Metrics: cardinality limits, the mapping to Prometheus names, and the `/metrics` endpoint's content."""

from telemetry.metrics.mapping import LabelMapping, MetricMapping
from telemetry.metrics.multiprocess.collector import SNAPSHOT_AGE
from telemetry.metrics.vocabulary import VOCABULARY

__all__ = ["SNAPSHOT_AGE", "VOCABULARY", "LabelMapping", "MetricMapping"]
