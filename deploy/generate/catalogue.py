"""The catalogue: every metric that there is to ask for, with its labels: the service's own, and those of the programs around it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from deploy.generate.label_values import unknown_values
from deploy.generate.promql import labels_of, narrowed, unknown
from service.instruments import METRIC_MAPPINGS
from telemetry.metrics import SNAPSHOT_AGE, VOCABULARY, MetricMapping

JOB: Final = "sovani-api"
"""What Prometheus calls the scraping of `/metrics`."""

OF_TARGETS: Final = frozenset({"up", "scrape_duration_seconds"})
"""What Prometheus says of each of its targets."""
# Of the programs around it only what is asked for here.
AROUND: Final[Mapping[str, frozenset[str]]] = {
    "up": frozenset(),
    "scrape_duration_seconds": frozenset(),
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
    **{
        f"otelcol_receiver_{what}_{signal}_total": frozenset({"receiver", "transport"})
        for what in ("accepted", "refused")
        for signal in ("spans", "metric_points", "log_records")
    },
    **{
        f"otelcol_exporter_{what}_{signal}_total": frozenset({"exporter"})
        for what in ("sent", "send_failed", "enqueue_failed")
        for signal in ("spans", "metric_points", "log_records")
    },
    **{f"otelcol_exporter_queue_{what}": frozenset({"exporter", "data_type"}) for what in ("size", "capacity")},
}


def own() -> dict[str, frozenset[str]]:
    """What `/metrics` shows."""
    rows: tuple[MetricMapping, ...] = (*VOCABULARY, *METRIC_MAPPINGS)
    found: dict[str, frozenset[str]] = {SNAPSHOT_AGE: frozenset({"worker"})}
    for row in rows:
        labels = frozenset(label.name for label in row.labels or ())
        found[row.name] = found.get(row.name, frozenset()) | labels
    return found


def as_scraped(expression: str) -> str:
    """Of the service's own metrics those of `/metrics` alone.

    What the Collector passes on comes into the same store, and where OpenTelemetry's name is already Prometheus's (`telemetry_dropped_total`,
    `scheduler_runs_missed_total`) it would be counted a second time.
    """
    mine = own()
    return narrowed(expression, f'job="{JOB}"', lambda metric: labels_of(metric, mine) is not None)


def recorded(rules: Iterable[Mapping[str, Any]], labels: frozenset[str]) -> dict[str, frozenset[str]]:
    """What the rules record. Their labels are whatever those were made from have."""
    return {rule["record"]: labels for rule in rules if "record" in rule}


def whole(rules: Iterable[Mapping[str, Any]] = ()) -> dict[str, frozenset[str]]:
    mine = own()
    anything = frozenset().union(*mine.values()) | {"slo"}
    return {**AROUND, **mine, **recorded(rules, anything)}


def wrong(expression: str, rules: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """A sentence for each metric, label and value of a label that there is not, also where `or vector(0)` would hide it."""
    return [*unknown(expression, whole(rules)), *unknown_values(expression)]
