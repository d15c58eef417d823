"""Metrics: limits on what is recorded, the table of names, and the page that Prometheus reads."""

from telemetry.metrics.mapping import LabelMapping, MetricMapping
from telemetry.metrics.multiprocess.collector import MAX_AGE
from telemetry.metrics.vocabulary import VOCABULARY

__all__ = ["MAX_AGE", "VOCABULARY", "LabelMapping", "MetricMapping"]
