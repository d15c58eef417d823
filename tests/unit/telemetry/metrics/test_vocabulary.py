"""The contract's table of metrics, typed out, against `/metrics`, and `/metrics` against the tools that read it."""

import os
import shutil
import subprocess

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from service import names
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from telemetry import semconv
from telemetry.costs import Prices
from telemetry.instrumentation import cost_metrics, process
from telemetry.instrumentation.fastapi.active_requests import active_requests
from telemetry.instrumentation.fastapi.websocket import websocket_instruments
from telemetry.metrics.measuring import shared_file
from telemetry.metrics.vocabulary import VOCABULARY, client_status
from tests.contract.metrics import CONTRACT
from tests.unit.telemetry.metrics.conftest import Stage

BEYOND = [
    ("db_client_connections", "gauge", {"db_client_connection_pool_name", "db_client_connection_state"}),
    ("db_client_connection_max", "gauge", {"db_client_connection_pool_name"}),
    ("db_client_connection_pending_requests", "gauge", {"db_client_connection_pool_name"}),
    ("db_client_connection_timeouts_total", "counter", {"db_client_connection_pool_name"}),
    ("process_cpu_seconds_total", "counter", set()),
    ("cpu_seconds_total", "counter", {"kind", "name"}),
    ("cost_usd_total", "counter", {"resource", "kind", "name"}),
    ("process_resident_memory_bytes", "gauge", set()),
    ("process_virtual_memory_bytes", "gauge", set()),
    ("process_threads", "gauge", set()),
    ("process_open_fds", "gauge", set()),
    ("process_start_time_seconds", "gauge", set()),
    ("python_gc_collections_total", "counter", {"generation"}),
    ("telemetry_queue_size", "gauge", {"queue"}),
    ("telemetry_queue_capacity", "gauge", {"queue"}),
    ("telemetry_queue_oldest_age_seconds", "gauge", {"queue"}),
    ("telemetry_dropped_total", "counter", {"queue", "reason"}),
    ("telemetry_log_late_total", "counter", {"queue"}),
    ("telemetry_spool_bytes", "gauge", {"queue"}),
    ("telemetry_spool_refused_total", "counter", {"queue", "reason"}),
    ("telemetry_job_records_total", "counter", {"state"}),
    ("alerts", "gauge", {"state"}),
    ("alerts_oldest_pending_seconds", "gauge", set()),
    ("alert_channel_up", "gauge", {"channel"}),
    ("alert_delay_seconds", "histogram", {"channel"}),
    ("alert_acknowledge_seconds", "histogram", {"level"}),
    ("alert_resolve_seconds", "histogram", {"level"}),
    ("alert_messages_total", "counter", {"channel", "result"}),
    ("telegram_updates_total", "counter", {"kind", "result"}),
    ("scheduler_runs_lost_total", "counter", {"job_name"}),
    ("scheduler_runs_skipped_total", "counter", {"job_name"}),
    ("worker_restarts_total", "counter", {"reason"}),
    ("scheduler_job_last_failure_timestamp_seconds", "gauge", {"job_name"}),
    ("telemetry_exported_total", "counter", {"queue"}),
    ("telemetry_label_sets_overflow", "gauge", {"instrument"}),
    ("telemetry_callback_timeouts_total", "counter", {"instrument"}),
    ("telemetry_otlp_replaced_total", "counter", {"queue", "reason"}),
    ("telemetry_page_incomplete", "gauge", set()),
    ("telemetry_recent_bytes", "gauge", set()),
    ("telemetry_recent_traces", "gauge", set()),
    ("telemetry_recent_dropped_total", "counter", {"kind", "reason"}),
    ("orders_processed_total", "counter", {"marketplace", "status"}),
    ("advice_drafts_total", "counter", {"marketplace", "outcome"}),
    ("draft_checks_total", "counter", {"reason"}),
    ("openai_cost_usd_total", "counter", {"model"}),
    ("external_api_wait_seconds_total", "counter", {"service", "reason"}),
    ("external_api_unreadable_total", "counter", {"service"}),
    ("scheduler_ticks_skipped_total", "counter", {"job_name"}),
    ("scheduler_runs_missed_total", "counter", {"job_name"}),
    ("scheduler_runs_overdue_total", "counter", {"job_name"}),
    ("http_connections_refused_total", "counter", {"status"}),
    ("invalid_rows_total", "counter", {"source"}),
    ("odd_rows_total", "counter", {"source"}),
    ("source_age_seconds", "gauge", {"marketplace", "source"}),
    ("reviews_waiting", "gauge", {"marketplace", "rating"}),
    ("reviews_waiting_oldest_age_seconds", "gauge", {"marketplace", "rating"}),
    ("reviews_without_draft", "gauge", set()),
    ("rate_limited_until_timestamp_seconds", "gauge", {"service"}),
    ("credential_expiry_timestamp_seconds", "gauge", {"service"}),
    ("scheduler_job_suspended", "gauge", {"job_name"}),
    ("job_paused", "gauge", {"job_name"}),
    ("websocket_connections_total", "counter", {"endpoint", "outcome"}),
    ("websocket_connection_duration_seconds", "histogram", {"endpoint", "outcome"}),
    ("websocket_connections_in_progress", "gauge", set()),
]
REQUEST = {
    "http.request.method": "GET",
    "http.route": "/reviews",
    "http.response.status_code": 200,
    "url.scheme": "http",
}
CALL = {
    "http.request.method": "POST",
    "service.peer.name": "wb",
    "url.template": "/ping",
    "http.response.status_code": 200,
}


class Disk:
    def filesystems(self):
        return {"/var": 0.65}

    def memory(self):
        return 0.45


def use_everything(stage):
    """Record on each instrument once, with the attributes that it is used with."""
    instruments, meter = stage.instruments, stage.meter
    stage.request_duration.record(0.02, REQUEST)
    instruments.http_client_duration.record(0.3, CALL)
    instruments.db_operation_duration.record(0.002, {"db.system.name": "sqlite", "db.operation.name": "select"})
    instruments.job_runs.add(1, {"job.name": "sync", "job.status": "success"})
    instruments.job_duration.record(1.5, {"job.name": "sync"})
    instruments.job_active.add(1, {"job.name": "sync"})
    instruments.job_last_success.set(1_759_406_400.5, {"job.name": "sync"})
    instruments.job_last_failure.set(1_759_406_401.5, {"job.name": "sync"})
    instruments.runs_lost.add(1, {"job.name": "sync"})
    instruments.runs_skipped.add(1, {"job.name": "sync"})
    instruments.count_worker_restart(semconv.WORKER_KILLED)
    instruments.errors.add(1, {"error.type": "ValueError", "component": "wb"})
    instruments.dropped.add(1, {"queue": "job_runs", "reason": "full"})
    used = {semconv.DB_POOL_NAME: "a", semconv.DB_CONNECTION_STATE: "used"}
    meter.create_up_down_counter(semconv.DB_CONNECTION_COUNT).add(1, used)
    meter.create_up_down_counter(semconv.DB_CONNECTION_MAX).add(15, {semconv.DB_POOL_NAME: "a"})
    meter.create_up_down_counter(semconv.DB_CONNECTION_PENDING).add(0, {semconv.DB_POOL_NAME: "a"})
    meter.create_counter(semconv.DB_CONNECTION_TIMEOUTS).add(0, {semconv.DB_POOL_NAME: "a"})
    active_requests(stage.meters)["GET", False].add(object())
    sockets = websocket_instruments(stage.meters)
    sockets.duration.record(60.0, {"url.scheme": "ws", "http.route": "/rooms/{room}", "websocket.outcome": "closed"})
    sockets.active.add(1, {"url.scheme": "ws"})
    cost_metrics.observe_costs(meter, Prices(cpu_hour=0.05))
    process.observe_process(meter)
    process.observe_application(meter, process.Application("1.0", "tests"))
    process.observe_resources(meter, Disk())
    service = ServiceInstruments.create(meter)
    service.reviews_processed.add(1, {"marketplace": "wb", "status": "new"})
    service.orders_processed.add(1, {"marketplace": "wb", "status": "new"})
    service.cost.add(0.1, {"gen_ai.request.model": "gpt-5.4-mini"})
    service.connections_rejected.add(1, {"http.response.status_code": 408})
    for counter in (service.ticks_skipped, service.runs_missed, service.runs_overdue):
        counter.add(1, {"job.name": "sync"})
    for name, labels in (
        (semconv.TELEMETRY_QUEUE_SIZE, {"queue": "job_runs"}),
        (semconv.TELEMETRY_QUEUE_CAPACITY, {"queue": "job_runs"}),
        (semconv.TELEMETRY_QUEUE_AGE, {"queue": "job_runs"}),
        (semconv.SPOOL_SIZE, {"queue": "job_runs"}),
        (semconv.TELEMETRY_OVERFLOW, {"instrument": "job.runs"}),
        (semconv.ALERT_INCIDENTS, {"state": "pending"}),
        (semconv.ALERT_OLDEST_PENDING_AGE, {}),
        (semconv.PAGE_INCOMPLETE, {}),
        (semconv.RECENT_SIZE, {}),
        (semconv.RECENT_TRACES, {}),
        (semconv.ALERT_CHANNEL_UP, {"channel": "telegram"}),
        (names.SOURCE_AGE, {"marketplace": "wb", "source": "wb.orders"}),
        (names.REVIEWS_WAITING, {"marketplace": "wb", "rating": 5}),
        (names.OLDEST_WAITING_AGE, {"marketplace": "wb", "rating": 5}),
        (names.REVIEWS_WITHOUT_DRAFT, {}),
        (names.RATE_LIMITED_UNTIL, {"service.peer.name": "wb"}),
        (names.CREDENTIAL_EXPIRY, {"service.peer.name": "wb"}),
        (names.JOB_SUSPENDED, {"job.name": "sync_ozon_reviews"}),
        (names.JOB_PAUSED, {"job.name": "sync"}),
    ):
        meter.create_observable_gauge(name, [lambda _options, labels=labels: [Observation(1, labels)]])
    meter.create_observable_counter(
        semconv.CALLBACK_TIMEOUTS, [lambda _options: [Observation(1, {"instrument": "eggs"})]]
    )
    meter.create_observable_counter(
        semconv.OTLP_REPLACED, [lambda _options: [Observation(1, {"queue": "logs", "reason": "text"})]]
    )
    meter.create_histogram(semconv.ALERT_DELAY).record(1.0, {"channel": "telegram"})
    meter.create_histogram(semconv.ALERT_ACKNOWLEDGE).record(90.0, {"alert.level": "ERROR"})
    meter.create_histogram(semconv.ALERT_RESOLVE).record(90.0, {"alert.level": "ERROR"})
    meter.create_counter(semconv.ALERT_NOTIFICATIONS).add(1, {"channel": "telegram", "result": "sent"})
    meter.create_counter(semconv.TELEGRAM_UPDATES).add(1, {"kind": "command", "result": "done"})
    meter.create_counter(semconv.JOB_RECORDS).add(1, {"state": "received"})
    meter.create_counter(semconv.RECENT_DROPPED).add(1, {"kind": "span", "reason": "full"})
    meter.create_counter(semconv.LOG_LATE).add(1, {"queue": "log_files"})
    meter.create_counter(semconv.SPOOL_REFUSED).add(1, {"queue": "job_runs", "reason": "disk"})
    meter.create_counter("otel.sdk.exporter.span.exported").add(1)


@pytest.fixture
def used(make_stage):
    stage = make_stage(mappings=(*VOCABULARY, *METRIC_MAPPINGS))
    use_everything(stage)
    return stage


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """What `used` shows, read once for all tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_file, "MEMORY", tmp_path_factory.mktemp("memory"))
        stage = Stage(mappings=(*VOCABULARY, *METRIC_MAPPINGS))
        use_everything(stage)
        yield stage.families()
        stage.sdk.shutdown()


def labels_of(family):
    own = {"le"} if family.type == "histogram" else set()
    return [set(sample.labels) - own for sample in family.samples]


@pytest.mark.parametrize(("name", "kind", "labels"), CONTRACT + BEYOND)
def test_a_metric_of_the_contract_has_its_name_type_and_labels(families, name, kind, labels):
    family = families[name.removesuffix("_total")]

    assert family.type == kind
    assert family.documentation.endswith(".")
    assert labels_of(family)
    assert all(each == labels for each in labels_of(family))
    if kind != "histogram":
        assert {sample.name for sample in family.samples} == {name}


def test_there_is_no_family_that_the_contract_does_not_name(used):
    named = {name.removesuffix("_total") for name, _, _ in CONTRACT + BEYOND}

    assert set(used.families()) == {*named, "target_info"}


def test_every_family_is_declared_before_its_first_series(make_stage):
    stage = make_stage(mappings=(*VOCABULARY, *METRIC_MAPPINGS))

    families = stage.families()

    assert {name.removesuffix("_total") for name, _, _ in CONTRACT + BEYOND} == set(families)
    assert not [family for family in families.values() if family.samples]


def test_requests_are_measured_in_buckets_from_ten_milliseconds_to_ten_seconds(used):
    buckets = used.families()["http_request_duration_seconds"].samples

    bounds = [sample.labels["le"] for sample in buckets if "le" in sample.labels]
    assert (bounds[0], bounds[-2], bounds[-1]) == ("0.01", "10.0", "+Inf")


def test_the_count_of_requests_is_the_count_of_their_durations(stage):
    for _ in range(3):
        stage.request_duration.record(0.02, REQUEST)

    labels = (("endpoint", "/reviews"), ("method", "GET"), ("status", "200"))
    assert stage.series("http_requests_total") == {labels: 3}
    assert stage.series("http_request_duration_seconds_count") == {labels: 3}


def test_missing_attributes_have_default_labels(stage):
    stage.request_duration.record(0.02, {"url.scheme": "http"})

    assert list(stage.series("http_requests_total")) == [
        (("endpoint", "unmatched"), ("method", "_OTHER"), ("status", "error"))
    ]


def test_series_whose_labels_fall_together_are_summed(stage):
    for method, status in (("GET", 200), ("POST", 200), ("GET", 500)):
        stage.instruments.http_client_duration.record(
            1, {**CALL, "http.request.method": method, "http.response.status_code": status}
        )

    assert stage.series("external_api_requests_total") == {
        (("endpoint", "/ping"), ("service", "wb"), ("status", "200")): 2,
        (("endpoint", "/ping"), ("service", "wb"), ("status", "500")): 1,
    }
    assert stage.series("external_api_duration_seconds_count") == {(("service", "wb"),): 3}
    assert stage.series("external_api_duration_seconds_sum") == {(("service", "wb"),): 3}


def test_only_connections_that_are_used_are_active_and_all_pools_together(stage):
    connections = stage.meter.create_up_down_counter(semconv.DB_CONNECTION_COUNT)
    for state, pool in (("used", "a"), ("used", "b"), ("idle", "a")):
        connections.add(2, {semconv.DB_CONNECTION_STATE: state, semconv.DB_POOL_NAME: pool})

    assert stage.series("db_connections_active") == {(): 4}


@pytest.mark.parametrize(
    ("said", "query_type"),
    [("select", "select"), ("SELECT", "select"), ("delete", "delete"), ("pragma", "other"), ("", "other")],
)
def test_a_query_is_of_a_known_type_or_other(stage, said, query_type):
    stage.instruments.db_operation_duration.record(0.1, {"db.operation.name": said})

    assert stage.series("db_query_duration_seconds_count") == {(("query_type", query_type),): 1}


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"http.response.status_code": 200}, "200"),
        ({"http.response.status_code": 503}, "503"),
        ({"error.type": "ReadTimeout"}, "timeout"),
        ({"error.type": "ConnectTimeout"}, "timeout"),
        ({"error.type": "TimeoutError"}, "timeout"),
        ({"error.type": "ConnectError"}, "error"),
        ({}, "error"),
    ],
)
def test_the_status_of_an_outgoing_request_is_its_code_or_its_failure(attributes, status):
    assert client_status(attributes) == status


def test_what_the_sdk_drops_and_sends_is_counted_by_queue_and_reason_and_an_attempt_that_fails_is_no_drop(stage):
    processed = stage.meter.create_counter("otel.sdk.processor.span.processed")
    exported = stage.meter.create_counter("otel.sdk.exporter.log.exported")
    processed.add(5)
    processed.add(2, {"error.type": "queue_full"})
    exported.add(7)
    exported.add(3, {"error.type": "ConnectionError"})
    stage.instruments.dropped.add(1, {"queue": "job_runs", "reason": "full"})

    assert stage.series("telemetry_dropped_total") == {
        (("queue", "spans"), ("reason", "queue_full")): 2,
        (("queue", "job_runs"), ("reason", "full")): 1,
    }
    assert stage.series("telemetry_exported_total") == {(("queue", "logs"),): 7}


def test_the_sdks_own_numbers_are_read_by_the_names_that_it_gives_them(stage, monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter(), meter_provider=stage.meters))

    with provider.get_tracer("tests").start_as_current_span("one"):
        pass

    assert (("queue", "spans"),) in stage.series("telemetry_queue_size")
    assert stage.series("telemetry_queue_capacity") == {(("queue", "spans"),): 2048}
    provider.shutdown()


@pytest.mark.skipif(shutil.which("promtool") is None and "CI" not in os.environ, reason="promtool is not on the PATH")
@pytest.mark.parametrize("filled", [True, False], ids=["with series", "without"])
def test_promtool_has_nothing_to_complain_of(make_stage, filled):
    stage = make_stage(mappings=(*VOCABULARY, *METRIC_MAPPINGS))
    if filled:
        use_everything(stage)

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=stage.text(), capture_output=True, text=True, timeout=20, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_parser_of_openmetrics_reads_the_exposition(used):
    page, kind = used.page.render("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    families = {family.name: family for family in parse_openmetrics(page.decode())}

    assert kind.startswith("application/openmetrics-text")
    assert families["http_requests"].type == "counter"
    assert {sample.name for sample in families["http_requests"].samples} == {"http_requests_total"}
    assert families["http_request_duration_seconds"].type == "histogram"
    assert len(families) == len(CONTRACT + BEYOND) + 1
