"""The values of every label whose values are known beforehand, so that one which there is not can be told: no query says so itself."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.generate import objectives
from deploy.generate.promql import Matcher, matchers
from service.api import (
    alerts,
    docs,
    health,
    job_actions,
    job_stats,
    jobs,
    metrics,
    orders,
    review_actions,
    reviews,
    sources,
)
from service.api.costs import cost_routes
from service.instruments import REJECTED_STATUSES
from service.integrations.endpoints import outbound_services
from service.jobs.schedule import JOBS
from service.names import (
    BACKOFF,
    CHECKS,
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
from service.settings import Settings
from service.sync.freshness.streams import SOURCE_NAMES, STREAMS
from service.sync.ingestion import COUNTED
from telemetry import semconv
from telemetry.costs import KINDS, RESOURCES
from telemetry.environment.alert_channels import REQUIRED

HERE: Final = Path(__file__).parent.parent
Labels = dict[str, frozenset[str]]


def known_values(metric: str, label: str) -> frozenset[str] | None:
    """The values that the label of this metric can have; None if they are not known beforehand."""
    for name in (metric, re.sub(r"_(bucket|sum|count)$", "", metric)):
        if (values := _OWN.get(name, {}).get(label)) is not None:
            return values
    return next(
        (values[label] for start, values in _AROUND.items() if metric.startswith(start) and label in values), None
    )


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
    modules = (
        alerts,
        docs,
        health,
        job_actions,
        job_stats,
        jobs,
        metrics,
        orders,
        review_actions,
        reviews,
        sources,
        cost_routes,
    )
    paths = {getattr(route, "path", "") for module in modules for route in module.router.routes}
    return frozenset(paths - {""} | {semconv.UNMATCHED})


def _called_paths() -> frozenset[str]:
    services = outbound_services(Settings.model_construct())
    return frozenset(path for service in services for path in service.endpoints) | {semconv.UNMATCHED}


def _own(*tables: Mapping[str, Labels]) -> dict[str, Labels]:
    """The values by metric. A key has the names of several metrics with the same labels."""
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for table in tables:
        for names, labels in table.items():
            for name in names.split():
                found[name] |= labels
    return dict(found)


_PROMETHEUS: Final = _read(HERE / "prometheus" / "prometheus.yml")
_COLLECTOR: Final = _read(HERE.parent / "otel-collector.yaml")
_STATUSES: Final = frozenset(map(str, range(100, 600)))
_JOBS: Final[Labels] = {"job_name": frozenset(job.name for job in JOBS)}
_REQUEST: Final[Labels] = {
    "method": semconv.KNOWN_METHODS | {semconv.OTHER_METHOD},
    "endpoint": _routes(),
    "status": _STATUSES | {"error"},
}
_MARKETPLACE: Final[Labels] = {"marketplace": frozenset(MARKETPLACES)}
_COUNTED: Final[Labels] = _MARKETPLACE | {"status": frozenset(COUNTED)}
_RATED: Final[Labels] = _MARKETPLACE | {"rating": frozenset(map(str, RATINGS))}
_CALLED: Final[Labels] = {"service": frozenset({WB, OZON, OPENAI, TELEGRAM, semconv.OTHER})}
_LIMITED: Final[Labels] = {"service": frozenset(RATE_LIMITED_SERVICES)}
_CHANNELS: Final[Labels] = {"channel": frozenset(REQUIRED)}
_RECORDS: Final = frozenset({"job_runs"})
_LOGS: Final = frozenset({"log_console", "log_files", "log_pipeline"})
_EXPORTED: Final = frozenset({"spans", "logs"})
_UNSENT: Final = frozenset({"unsent_spans", "unsent_logs"})
_COSTS: Final[Labels] = {"kind": frozenset(KINDS)}
_REQUESTS: Final[Mapping[str, Labels]] = {
    "http_requests_total http_request_duration_seconds": _REQUEST,
    "http_requests_in_progress": {"method": _REQUEST["method"]},
    "http_connections_refused_total": {"status": frozenset(str(int(status)) for status in REJECTED_STATUSES)},
    "websocket_connections_total websocket_connection_duration_seconds": {
        "outcome": frozenset(semconv.WEBSOCKET_OUTCOMES)
    },
    "external_api_requests_total": _CALLED | {"endpoint": _called_paths(), "status": _STATUSES | {"timeout", "error"}},
    "external_api_duration_seconds": _CALLED,
    "external_api_wait_seconds_total": _LIMITED | {"reason": frozenset({RATE_LIMIT, BACKOFF})},
    "rate_limited_until_timestamp_seconds": _LIMITED,
    "credential_expiry_timestamp_seconds external_api_unreadable_total": {"service": frozenset(MARKETPLACES)},
    "db_query_duration_seconds": {"query_type": frozenset(semconv.QUERY_TYPES)},
    "db_client_connections": {
        "db_client_connection_state": frozenset({semconv.CONNECTION_IDLE, semconv.CONNECTION_USED})
    },
}
_WORK: Final[Mapping[str, Labels]] = {
    "scheduler_jobs_total": {"status": frozenset({semconv.STATUS_SUCCESS, semconv.STATUS_FAILED})},
    "scheduler_jobs_total scheduler_job_duration_seconds scheduler_jobs_in_progress": _JOBS,
    "scheduler_job_last_success_timestamp_seconds scheduler_job_last_failure_timestamp_seconds": _JOBS,
    "scheduler_runs_lost_total scheduler_runs_skipped_total scheduler_ticks_skipped_total": _JOBS,
    "scheduler_runs_missed_total scheduler_runs_overdue_total job_paused scheduler_job_suspended": _JOBS,
    "reviews_processed_total orders_processed_total": _COUNTED,
    "advice_generated_total": _MARKETPLACE,
    "advice_drafts_total": _MARKETPLACE | {"outcome": frozenset(OUTCOMES)},
    "draft_checks_total": {"reason": frozenset(CHECKS)},
    "reviews_waiting reviews_waiting_oldest_age_seconds": _RATED,
    "source_age_seconds": _MARKETPLACE | {"source": frozenset(SOURCE_NAMES)},
    "invalid_rows_total odd_rows_total": {"source": frozenset(stream.name for stream in STREAMS)},
    "cpu_seconds_total": _COSTS,
    "cost_usd_total": _COSTS | {"resource": frozenset(RESOURCES)},
    "worker_restarts_total": {"reason": frozenset(semconv.WORKER_END_REASONS)},
    "python_gc_collections_total": {"generation": frozenset({"0", "1", "2"})},
}
_TELEMETRY: Final[Mapping[str, Labels]] = {
    "telemetry_queue_size telemetry_queue_capacity": {"queue": _RECORDS | _EXPORTED | _UNSENT | {"recent"}},
    "telemetry_recent_dropped_total": {
        "kind": frozenset(semconv.RECENT_KINDS),
        "reason": frozenset(semconv.RECENT_DROP_REASONS),
    },
    "telemetry_queue_oldest_age_seconds telemetry_spool_bytes telemetry_spool_refused_total": {"queue": _RECORDS},
    "telemetry_spool_refused_total": {"reason": frozenset({"full", "disk"})},
    "telemetry_dropped_total": {"queue": _RECORDS | _LOGS | _EXPORTED | {"alerts"}},
    "telemetry_log_late_total": {"queue": _LOGS},
    "telemetry_exported_total": {"queue": _EXPORTED},
    "telemetry_otlp_replaced_total": {"queue": _EXPORTED | {"metrics"}},
    "telemetry_job_records_total": {"state": frozenset(semconv.JOB_RECORD_STATES)},
    "alerts": {"state": frozenset(semconv.ALERT_STATES)},
    "alert_channel_up alert_delay_seconds": _CHANNELS,
    "alert_acknowledge_seconds alert_resolve_seconds": {"level": frozenset({"INFO", "WARNING", "ERROR", "CRITICAL"})},
    "alert_messages_total": _CHANNELS | {"result": frozenset(semconv.SEND_RESULTS)},
    "telegram_updates_total": {
        "kind": frozenset(semconv.TELEGRAM_UPDATE_KINDS),
        "result": frozenset(semconv.TELEGRAM_UPDATE_RESULTS),
    },
}
_OWN: Final = _own(_REQUESTS, _WORK, _TELEMETRY)
"""For each metric of the service, the values of its labels. A label that another metric has, too, may have other values there."""
_OBJECTIVES: Final[Labels] = {
    "slo": frozenset(each.name for each in objectives.read(HERE / "prometheus" / "objectives.yml"))
}
_AROUND: Final[Mapping[str, Labels]] = {
    "ALERTS": _OBJECTIVES
    | {"alertstate": frozenset({"pending", "firing"}), "severity": frozenset({"critical", "warning"})},
    "otelcol_": {
        "exporter": frozenset(_COLLECTOR["exporters"]),
        "receiver": frozenset(_COLLECTOR["receivers"]),
        "transport": frozenset({"grpc", "http"}),
        "data_type": frozenset({"metrics", "traces", "logs"}),
    },
    "slo:": _OBJECTIVES,
    "": {"job": frozenset(each["job_name"] for each in _PROMETHEUS["scrape_configs"])},
}
"""For metrics whose names begin so: those of the programs around the service, what the rules record, and what Prometheus adds."""
