"""The values of every label whose values are known beforehand, so that one which there is not can be told: no query says so itself."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.generate import objectives
from deploy.generate.promql import Matcher, matchers
from service.api import alerts, docs, health, job_stats, jobs, metrics, orders, review_actions, reviews, sources
from service.instruments import REJECTED_STATUSES
from service.jobs.schedule import JOBS
from service.names import (
    BACKOFF,
    MARKETPLACES,
    OPENAI,
    OUTCOMES,
    OZON,
    RATE_LIMIT,
    RATE_LIMITED_SERVICES,
    RATINGS,
    TELEGRAM,
    WB,
)
from service.sync.freshness.streams import SOURCE_NAMES, STREAMS
from service.sync.ingestion import COUNTED
from telemetry import semconv

HERE: Final = Path(__file__).parent.parent


def known_values(metric: str, label: str) -> frozenset[str] | None:
    """The values that the label of this metric can have; None if they are not known beforehand."""
    for pattern, values in _VALUES.get(label, ()):
        if re.fullmatch(pattern, metric):
            return values
    return None


def unknown_values(expression: str) -> Iterator[str]:
    """A sentence for each matcher of the expression that no series can fulfil, or that excludes nothing."""
    for matcher in matchers(expression):
        values = known_values(matcher.metric, matcher.label)
        if values is None or "$" in matcher.value:  # a variable of Grafana
            continue
        yield from (
            f"{matcher.metric} has no {matcher.label} {wrong}: it is one of {', '.join(sorted(values)[:20])}"
            for wrong in _without_a_value(matcher, values)
        )


def _without_a_value(matcher: Matcher, values: frozenset[str]) -> list[str]:
    """The alternatives of the matcher that no value fulfils."""
    if "~" not in matcher.operator:
        return [] if matcher.value in values else [matcher.value]
    has_groups = re.search(r"[(\[]", matcher.value) is not None
    alternatives = [matcher.value] if has_groups else matcher.value.split("|")
    return [each for each in alternatives if not any(re.fullmatch(each, value) for value in values)]


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def _routes() -> frozenset[str]:
    modules = (alerts, docs, health, job_stats, jobs, metrics, orders, review_actions, reviews, sources)
    paths = {getattr(route, "path", "") for module in modules for route in module.router.routes}
    return frozenset(paths - {""} | {semconv.UNMATCHED})


_STATUSES: Final = frozenset(map(str, range(100, 600)))
_QUEUES: Final = frozenset(
    {"job_runs", "alerts", "spans", "logs", "log_console", "log_files", "log_pipeline", "recent"}
)
_PROMETHEUS: Final = _read(HERE / "prometheus" / "prometheus.yml")
_COLLECTOR: Final = _read(HERE.parent / "otel-collector.yaml")
_OF_ALERTS: Final = frozenset({"telegram", "webhook"})
_SCHEDULED: Final = frozenset(job.name for job in JOBS)
# For each label: patterns of metrics, the first that fits, with the values.
_VALUES: Final[Mapping[str, tuple[tuple[str, frozenset[str]], ...]]] = {
    "job": ((".*", frozenset(each["job_name"] for each in _PROMETHEUS["scrape_configs"])),),
    "method": (("http_request.*", semconv.KNOWN_METHODS | {semconv.OTHER_METHOD}),),
    "endpoint": (("http_request.*", _routes()),),
    "status": (
        ("http_requests_.*|http_request_.*", _STATUSES | {"error"}),
        ("http_connections_.*", frozenset(str(int(status)) for status in REJECTED_STATUSES)),
        ("external_api_.*", _STATUSES | {"timeout", "error"}),
        ("scheduler_.*", frozenset({semconv.STATUS_SUCCESS, semconv.STATUS_FAILED})),
        ("(reviews|orders)_processed_total", frozenset(COUNTED)),
    ),
    "job_name": (("scheduler_.*|job_paused", _SCHEDULED),),
    "service": (
        ("external_api_wait_.*|rate_limited_until_.*", frozenset(RATE_LIMITED_SERVICES)),
        ("credential_expiry_.*", frozenset(MARKETPLACES)),
        ("external_api_.*", frozenset({WB, OZON, OPENAI, TELEGRAM, semconv.OTHER})),
    ),
    "reason": (
        ("worker_restarts_total", frozenset(semconv.WORKER_END_REASONS)),
        ("external_api_wait_.*", frozenset({RATE_LIMIT, BACKOFF})),
        ("telemetry_recent_dropped_total", frozenset(semconv.RECENT_DROP_REASONS)),
    ),
    "kind": (("telemetry_recent_.*", frozenset(semconv.RECENT_KINDS)),),
    "query_type": ((".*", frozenset(semconv.QUERY_TYPES)),),
    "source": (
        ("invalid_rows_total", frozenset(stream.name for stream in STREAMS)),
        ("source_age_seconds", frozenset(SOURCE_NAMES)),
    ),
    "rating": ((".*", frozenset(map(str, RATINGS))),),
    "marketplace": ((".*", frozenset(MARKETPLACES)),),
    "outcome": ((".*", frozenset(OUTCOMES)),),
    "state": (
        ("alerts", frozenset(semconv.ALERT_STATES)),
        ("telemetry_job_records_total", frozenset(semconv.JOB_RECORD_STATES)),
        ("db_client_connection_.*", frozenset({"idle", "used"})),
    ),
    "queue": ((".*", _QUEUES),),
    "channel": ((".*", _OF_ALERTS),),
    "result": (("alert_messages_total", frozenset(semconv.SEND_RESULTS)),),
    "generation": ((".*", frozenset({"0", "1", "2"})),),
    "alertstate": (("ALERTS", frozenset({"pending", "firing"})),),
    "severity": (("ALERTS", frozenset({"critical", "warning"})),),
    "exporter": (("otelcol_.*", frozenset(_COLLECTOR["exporters"])),),
    "receiver": (("otelcol_.*", frozenset(_COLLECTOR["receivers"])),),
    "transport": (("otelcol_.*", frozenset({"grpc", "http"})),),
    "data_type": (("otelcol_.*", frozenset({"metrics", "traces", "logs"})),),
    "slo": ((".*", frozenset(each.name for each in objectives.read(HERE / "prometheus" / "objectives.yml"))),),
}
