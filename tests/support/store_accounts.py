"""What a Collector has accepted, and what of it the real stores have: spans, log records and points, each by its id."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.deployed_prometheus import DeployedPrometheus
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.real_stores import Jaeger, VictoriaLogs

_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent"}


@dataclass(frozen=True)
class Account:
    """Of one signal: how many items were accepted, which are missing, and how many are there twice."""

    what: str
    sent: int
    missing: list[Any] = field(repr=False)
    twice: int = 0

    def __str__(self) -> str:
        return f"{self.what}: {self.sent} sent, {self.sent - len(self.missing)} found, {self.twice} twice"


def spans(receiver: OtlpReceiver, store: Jaeger) -> Account:
    sent = defaultdict(set)
    for span in receiver.every_span():
        sent[span.trace_id.hex()].add(span.span_id.hex())
    missing = [(trace, span) for trace, ids in sent.items() for span in sorted(ids - store.span_ids(trace))]
    return Account("spans", sum(map(len, sent.values())), missing)


def log_records(receiver: OtlpReceiver, store: VictoriaLogs) -> Account:
    """By time and text."""
    requests = receiver.requests("/v1/logs")
    scopes = [scope for request in requests for each in request.resource_logs for scope in each.scope_logs]
    sent = {
        (record.time_unix_nano, record.body.string_value.rstrip("\n"))
        for scope in scopes
        for record in scope.log_records
    }
    found = store.records()
    return Account("log records", len(sent), sorted(sent - found.keys()), found.total() - len(found))


def points(receiver: OtlpReceiver, store: DeployedPrometheus, began: float) -> Account:
    """By name, process and time: as many series as points. A histogram's are its counts."""
    sent = Counter[tuple[str, str, int]]()
    for name, instance, _, moment in {*_points(receiver)}:
        sent[name, instance, moment] += 1
    found = Counter[tuple[str, str, int]]()
    for name in {name for name, _, _ in sent}:
        for series in store.series(name, time.time() - began):
            instance = series.labels.get("instance", "")
            found.update((name, instance, round(moment * 1000)) for moment, _ in series.samples)
    return Account("points", sent.total(), sorted((sent - found).elements()))


def _points(receiver: OtlpReceiver) -> Iterator[tuple[str, str, str, int]]:
    """The name in Prometheus, the process, the attributes, the milliseconds."""
    for request in receiver.requests("/v1/metrics"):
        for each in request.resource_metrics:
            [instance] = [
                pair.value.string_value for pair in each.resource.attributes if pair.key == "service.instance.id"
            ]
            for metric in (metric for scope in each.scope_metrics for metric in scope.metrics):
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    attributes = sorted((pair.key, str(pair.value)) for pair in point.attributes)
                    yield prometheus_name(metric), instance, str(attributes), point.time_unix_nano // 10**6


def prometheus_name(metric: Any) -> str:
    """As Prometheus calls it: underscores, the unit, and what kind it is."""
    kind = metric.WhichOneof("data")
    unit = "" if metric.unit == "1" or metric.unit.startswith("{") else _UNITS.get(metric.unit, metric.unit)
    words = [word for word in re.split(r"[^a-zA-Z0-9]+", metric.name) if word]
    if unit and unit not in words:
        words.append(unit)
    if kind == "gauge" and metric.unit == "1":
        words.append("ratio")
    if kind == "sum" and metric.sum.is_monotonic:
        words = [*(word for word in words if word != "total"), "total"]
    return "_".join([*words, "count"] if kind == "histogram" else words)
