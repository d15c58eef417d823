import asyncio
import logging
import re
import threading
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from telemetry import setup
from telemetry.build import build
from telemetry.instrumentation.external_services import ExternalService
from telemetry.jobs import monitor_job
from telemetry.jobs.processor import JobSpanProcessor
from telemetry.logs.error_counter import ErrorCounter
from telemetry.metrics.mapping import LabelMapping, MetricMapping
from telemetry.options import TelemetryOptions
from telemetry.settings import SettingsError, TelemetrySettings


@pytest.fixture
def start(sqlite_engine):
    """Starts the telemetry of this process on a migrated database, with the settings that are given."""

    def start(app=None, options=None, **settings):
        return setup.start(
            app=app,
            engine=sqlite_engine,
            settings=TelemetrySettings(**settings),
            options=options or TelemetryOptions(),
        )

    yield start
    setup.shutdown()


def page(telemetry):
    return telemetry.metrics.page.render()[0].decode()


def series(telemetry, name):
    """The values of a family by their labels, as they are written."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", page(telemetry), re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def spans_of(telemetry):
    spans = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    return spans


def an_app():
    app = FastAPI(openapi_url=None)

    @app.get("/orders/{order_id}")
    def read_order(order_id: int):
        return {"id": order_id}

    return app


# Starting and stopping ----------------------------------------------------------------------------------------------


def test_nothing_runs_before_it_is_started():
    assert setup.current() is None


def test_it_is_started_once_however_often_it_is_asked_to(start):
    first = start(environment="first")

    assert start(environment="second") is first
    assert setup.start() is first
    assert setup.current() is first
    assert first.settings.environment == "first"


def test_of_many_threads_that_start_it_one_does(start):
    started, together = [], threading.Barrier(8)

    def race():
        together.wait(30)
        started.append(start())

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(started) == 8
    assert len(set(map(id, started))) == 1


def test_without_arguments_the_environment_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/own.db")
    monkeypatch.setenv("ENVIRONMENT", "staging")

    telemetry = setup.start()

    assert telemetry.settings.environment == "staging"
    assert telemetry.engine.url.database == f"{tmp_path}/own.db"
    setup.shutdown()
    telemetry.engine.dispose()


def test_a_wrong_variable_stops_the_start_and_nothing_is_left_running(monkeypatch):
    monkeypatch.setenv("METRICS_NAMES", "mine")

    with pytest.raises(SettingsError, match=r"^METRICS_NAMES is 'mine', but must be service or otel\.$"):
        setup.start()

    assert setup.current() is None


def test_after_a_shutdown_it_can_be_started_again_and_counts_from_zero(start):
    first = start()
    with monitor_job("sync"):
        pass
    setup.shutdown()

    second = start()
    with monitor_job("sync"):
        pass

    assert second is not first
    assert series(second, "scheduler_jobs_total") == {'job_name="sync",status="success"': 1}
    assert len(second.jobs.store.page()) == 2


def test_after_a_shutdown_an_application_can_be_started_again_and_is_counted(start):
    app = FastAPI()

    @app.get("/items")
    def read_items() -> list[str]:
        return []

    for _ in range(2):
        started = start(app)
        TestClient(app).get("/items")
        page, _ = started.metrics.page.render()
        setup.shutdown()

    assert b'http_requests_total{method="GET",endpoint="/items",status="200"} 1' in page


def test_a_shutdown_is_harmless_more_than_once_and_before_a_start(start):
    setup.shutdown()
    start()
    setup.shutdown()
    setup.shutdown()

    assert setup.current() is None


def test_a_shutdown_writes_and_exports_what_waits_and_names_nobody(start):
    telemetry = start()
    spans = spans_of(telemetry)
    for _ in range(50):
        with telemetry.tracer_provider.get_tracer("tests").start_as_current_span(
            "job many", attributes={"job.name": "many"}
        ):
            pass

    assert telemetry.shutdown(10) == []

    assert {run.status for run in telemetry.jobs.store.page(job_name="many", limit=1000)} == {"success"}
    assert len(telemetry.jobs.store.page(job_name="many", limit=1000)) == 50
    assert len(spans.get_finished_spans()) == 50


def test_after_a_shutdown_jobs_run_unrecorded_and_nothing_is_measured(start, sqlite_engine):
    telemetry = start()
    setup.shutdown()

    with monitor_job("unseen") as run:
        run.metadata["done"] = True
    with sqlite_engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    logging.getLogger("tests").error("nobody counts this")

    assert telemetry.jobs.store.names() == []
    assert telemetry.log_handler not in logging.getLogger().handlers


# Applications -------------------------------------------------------------------------------------------------------


def test_an_application_is_counted_and_traced_from_its_first_request(start):
    app = an_app()
    telemetry = start(app, otel_traces_sampler="always_on")
    spans = spans_of(telemetry)

    TestClient(app).get("/orders/7")

    assert series(telemetry, "http_requests_total") == {'method="GET",endpoint="/orders/{order_id}",status="200"': 1}
    assert [span.name for span in spans.get_finished_spans()] == ["GET /orders/{order_id}"]


def test_two_applications_are_on_one_page_and_none_is_counted_twice(start):
    one, other = an_app(), an_app()
    telemetry = start(one)
    start(other)
    start(one)

    for app in (one, other):
        TestClient(app).get("/orders/7")

    assert series(telemetry, "http_requests_total") == {'method="GET",endpoint="/orders/{order_id}",status="200"': 2}


def test_untraced_paths_are_counted_and_get_no_span(start):
    app = FastAPI()
    telemetry = start(app, TelemetryOptions(untraced_paths=("/openapi.json",)), otel_traces_sampler="always_on")
    spans = spans_of(telemetry)

    TestClient(app).get("/openapi.json")

    assert series(telemetry, "http_requests_total") == {'method="GET",endpoint="/openapi.json",status="200"': 1}
    assert spans.get_finished_spans() == ()


def test_the_lifespan_of_an_application_ends_with_a_shutdown_after_its_own_end(start):
    seen = []

    @asynccontextmanager
    async def lifespan(_app):
        yield {"word": "state"}
        seen.append(setup.current())

    app = FastAPI(lifespan=lifespan)
    telemetry = start(app)

    with TestClient(app) as client:
        assert client.app_state == {"word": "state"}

    assert seen == [telemetry]
    assert setup.current() is None


def test_an_application_that_begins_to_serve_joins_the_others_before_its_own_start(start, monkeypatch):
    """A worker that was forked after the start has its threads from then on, too."""
    called = []

    @asynccontextmanager
    async def lifespan(_app):
        called.append("lifespan")
        yield

    app = FastAPI(lifespan=lifespan)
    telemetry = start(app)
    monkeypatch.setattr(telemetry.metrics.membership, "serve", lambda: called.append("serve"))
    monkeypatch.setattr(telemetry.alerts, "start", lambda: called.append("alerts"))

    with TestClient(app):
        assert called == ["serve", "alerts", "lifespan"]


def test_a_lifespan_ends_with_a_shutdown_also_where_no_thread_can_be_started(start, monkeypatch):
    async def refuse(*_arguments):
        raise RuntimeError("can't start new thread")

    app = FastAPI()
    start(app)

    with TestClient(app):
        monkeypatch.setattr("telemetry.setup.asyncio.to_thread", refuse)

    assert setup.current() is None


def test_each_lifespan_of_an_application_records_runs_and_requests_as_the_first_did(start, sqlite_engine, caplog):
    app, seen = FastAPI(openapi_url=None), []

    @app.get("/run/{name}")
    def run(name: str) -> str:
        with monitor_job(name):
            return name

    options = TelemetryOptions(untraced_paths=("/run/untraced",))
    first = start(app, options)
    for number in range(3):
        with TestClient(app) as client:
            client.get(f"/run/{number}")
            seen.append(setup.current())
            assert 'endpoint="/run/{name}",status="200"' in page(seen[-1])
        assert setup.current() is None

    with sqlite_engine.connect() as connection:
        names = connection.execute(text("SELECT job_name FROM job_runs ORDER BY job_name")).scalars().all()
    assert names == ["0", "1", "2"]
    assert seen[0] is first
    assert len({id(each) for each in seen}) == 3
    assert {(each.settings, each.engine, each.options) for each in seen[1:]} == {
        (first.settings, sqlite_engine, options)
    }
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_lifespan_goes_on_with_the_telemetry_that_runs(start):
    app = FastAPI()
    start(app)
    setup.shutdown()
    setup.start(app=FastAPI(), settings=TelemetrySettings(), jobs=False)

    with TestClient(app):
        running = setup.current()

    assert running.settings.telemetry_jobs is False


def test_a_lifespan_that_fails_ends_with_a_shutdown_too(start):
    @asynccontextmanager
    async def lifespan(_app):
        raise RuntimeError("no lifespan")
        yield

    app = FastAPI(lifespan=lifespan)
    start(app)

    with pytest.raises(RuntimeError, match="no lifespan"), TestClient(app):
        pass

    assert setup.current() is None


# What is measured ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sampler",
    [
        {"otel_traces_sampler": "always_off"},
        {"otel_traces_sampler": "parentbased_always_off"},
        {"otel_traces_sampler": "traceidratio", "otel_traces_sampler_arg": 0},
        {"otel_traces_sampler_arg": 0},
        {"otel_traces_sampler": "always_on"},
    ],
)
def test_a_job_is_recorded_whatever_the_sampler_says(start, sampler):
    telemetry = start(**sampler)

    with monitor_job("sync", metadata={"source": "WB"}):
        pass

    [run] = telemetry.jobs.store.page()
    assert (run.job_name, run.status, run.details) == ("sync", "success", {"source": "WB"})
    assert series(telemetry, "scheduler_jobs_total") == {'job_name="sync",status="success"': 1}


def test_where_tracing_is_off_no_job_is_exported(start):
    telemetry = start(otel_traces_sampler="always_off")
    spans = spans_of(telemetry)

    with monitor_job("sync"):
        pass

    assert spans.get_finished_spans() == ()


def test_where_one_request_in_ten_is_traced_every_job_is(start):
    telemetry = start(otel_traces_sampler_arg=0)
    spans = spans_of(telemetry)

    with monitor_job("sync"):
        pass

    assert [span.name for span in spans.get_finished_spans()] == ["job sync"]


def test_a_run_that_comes_too_late_is_dropped_and_counted(start):
    telemetry = start()
    telemetry.jobs.recorder.shutdown(1)

    with monitor_job("late"):
        pass

    assert series(telemetry, "telemetry_dropped_total") == {'queue="job_runs",reason="shutdown"': 2}


def test_an_error_is_counted_once_by_what_it_is_and_who_logged_it(start):
    telemetry = start()
    log = logging.getLogger("tests.setup")

    log.error("token rejected", extra={"component": "wildberries"})
    log.critical("out of memory")
    try:
        raise ValueError("no such shop")
    except ValueError:
        log.exception("sync failed", extra={"component": "wildberries"})
    log.warning("only a warning", extra={"component": "wildberries"})

    assert series(telemetry, "errors_total") == {
        'error_type="log",component="wildberries"': 1,
        'error_type="log",component="tests"': 1,
        'error_type="ValueError",component="wildberries"': 1,
    }


@pytest.mark.parametrize(("level", "is_translated"), [(logging.WARNING, False), (logging.ERROR, True)])
def test_without_anybody_to_receive_them_only_errors_are_translated(start, level, is_translated):
    record = logging.makeLogRecord({"levelno": level, "name": "shop"})

    assert bool(start().log_handler.filter(record)) is is_translated  # from Python 3.12 on, a record instead of True


def test_an_alert_of_any_level_is_translated(start):
    record = logging.makeLogRecord({"levelno": logging.INFO, "name": "shop", "alert.level": "INFO"})

    assert start().log_handler.filter(record)


def test_a_connection_is_counted_while_it_is_used(start, sqlite_engine):
    telemetry = start()
    telemetry.jobs.reaper.stop()  # it and the rules have connections of their own
    telemetry.alerts.stop_rules()

    with sqlite_engine.connect():
        used = series(telemetry, "db_connections_active")
    after = series(telemetry, "db_connections_active")

    assert (used, after) == ({"": 1}, {"": 0})


@pytest.mark.parametrize(
    ("statement", "query_type"),
    [
        ("SELECT 1", "select"),
        ("INSERT INTO schedule_claims (job_name, last_tick) VALUES ('a', '2025-10-02 12:00:00')", "insert"),
        ("UPDATE schedule_claims SET job_name = 'b'", "update"),
        ("DELETE FROM schedule_claims", "delete"),
        ("PRAGMA user_version", "other"),
    ],
)
def test_a_query_is_measured_by_its_kind(start, sqlite_engine, statement, query_type):
    telemetry = start()
    telemetry.jobs.reaper.stop()  # it and the watch have looked at the database once
    telemetry.alerts.stop_rules()
    before = series(telemetry, "db_query_duration_seconds_count")

    with sqlite_engine.begin() as connection:
        connection.execute(text(statement))

    after, kind = series(telemetry, "db_query_duration_seconds_count"), f'query_type="{query_type}"'
    assert after == {**before, kind: before.get(kind, 0) + 1}


@pytest.fixture
def marketplace():
    """Somebody on loopback who answers each call with 200."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asyncio.run_coroutine_threadsafe(_closed(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


async def _closed(server):
    server.close()
    await server.wait_closed()


def test_a_call_is_counted_by_service_and_endpoint_and_one_that_fails_too(start, marketplace):
    services = (
        ExternalService("wb", marketplace, ("/ping", "/api/v1/feedbacks/{id}")),
        ExternalService("ozon", "http://127.0.0.1:1", ("/v1/roles",)),
    )
    telemetry = start(options=TelemetryOptions(external_services=services))

    with httpx.Client(trust_env=False, timeout=5) as client:
        for path in ("/ping", "/api/v1/feedbacks/123", "/secret/456"):
            client.get(marketplace + path)
        with pytest.raises(httpx.ConnectError):
            client.get("http://127.0.0.1:1/v1/roles")

    assert series(telemetry, "external_api_requests_total") == {
        'service="wb",endpoint="/ping",status="200"': 1,
        'service="wb",endpoint="/api/v1/feedbacks/{id}",status="200"': 1,
        'service="wb",endpoint="unmatched",status="200"': 1,
        'service="ozon",endpoint="/v1/roles",status="error"': 1,
    }
    assert series(telemetry, "external_api_duration_seconds_count") == {'service="wb"': 3, 'service="ozon"': 1}


def test_an_application_names_its_own_instruments(start):
    row = MetricMapping("orders_total", "counter", "orders.seen", "Orders.", (LabelMapping("shop", "shop"),))
    telemetry = start(options=TelemetryOptions(metric_mappings=(row,)))

    telemetry.meter("tests").create_counter("orders.seen").add(2, {"shop": "wb"})

    assert series(telemetry, "orders_total") == {'shop="wb"': 2}


def test_every_instrument_has_a_limit_of_label_sets_and_the_page_says_which_has_reached_it(sqlite_engine):
    telemetry = build(TelemetrySettings(), sqlite_engine, cardinality_limit=6)
    counter = telemetry.meter("tests").create_counter("shops")

    for number in range(10):
        counter.add(1, {"shop": number})

    assert series(telemetry, "shops_total") == {
        **{f'shop="{number}"': 1 for number in range(5)},
        'otel_metric_overflow="true"': 5,
    }
    assert series(telemetry, "telemetry_label_sets_overflow")['instrument="shops"'] == 1
    telemetry.shutdown()


def test_the_queue_of_job_runs_says_how_full_it_is(start):
    telemetry = start()

    assert series(telemetry, "telemetry_queue_size") == {'queue="job_runs"': 0}
    assert series(telemetry, "telemetry_queue_capacity") == {'queue="job_runs"': telemetry.jobs.recorder.capacity}


def test_process_machine_and_application_say_how_they_are(start):
    telemetry = start(environment="staging")

    assert series(telemetry, "app_info") == {'version="unknown",environment="staging"': 1}
    assert 0 <= series(telemetry, "app_uptime_seconds")[""] < 60
    assert 0 < series(telemetry, "system_memory_utilization")[""] <= 1
    assert all(0 <= share <= 1 for share in series(telemetry, "system_filesystem_utilization").values())
    assert series(telemetry, "process_resident_memory_bytes")[""] > 1_000_000


# Who it is ----------------------------------------------------------------------------------------------------------


def test_every_signal_says_the_same_of_who_it_is_from(start):
    telemetry = start(otel_traces_sampler="always_on")
    spans = spans_of(telemetry)
    with monitor_job("sync"):
        pass

    [span] = spans.get_finished_spans()
    [labels] = series(telemetry, "target_info")

    instance = span.resource.attributes["service.instance.id"]
    assert f'service_instance_id="{instance}"' in labels
    assert telemetry.log_handler.provider.resource.attributes["service.instance.id"] == instance


def test_an_instance_is_the_same_after_a_restart(start):
    before = list(series(start(), "target_info"))
    setup.shutdown()

    assert list(series(start(), "target_info")) == before


# What the environment says ------------------------------------------------------------------------------------------


def test_an_sdk_that_is_switched_off_records_nothing_breaks_nothing_and_says_so(start, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    app = an_app()

    telemetry = start(app)
    with monitor_job("sync") as run:
        run.metadata["done"] = True
    logging.getLogger("tests").error("broken")
    answer = TestClient(app).get("/orders/7")

    assert answer.status_code == 200
    assert "OTEL_SDK_DISABLED is true: nothing is measured, traced or recorded." in caplog.messages
    assert series(telemetry, "scheduler_jobs_total") == {}
    assert telemetry.jobs.store.page() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a process that does not start ends
def test_an_exporter_that_there_is_not_stops_the_start(start, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")

    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER is 'zipkin'"):
        start()

    assert setup.current() is None


def test_a_sampler_that_is_given_holds_after_another_one_and_over_an_empty_variable(start, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "")

    samplers = []
    for settings in ({}, {"otel_traces_sampler": "always_off"}, {"otel_traces_sampler": "always_on"}):
        samplers.append(start(**settings).tracer_provider.sampler.get_description())
        setup.shutdown()

    assert "TraceIdRatioBased{1.0}" in samplers[0]
    assert samplers[1:] == ["JobSampler(AlwaysOffSampler)", "JobSampler(AlwaysOnSampler)"]


def test_spans_go_where_the_environment_says_and_to_the_runs_first(start, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")

    runs, exported = start().tracer_provider._active_span_processor._span_processors

    assert isinstance(runs, JobSpanProcessor)
    assert isinstance(exported.span_exporter._inner, ConsoleSpanExporter)


def test_logs_go_to_otlp_at_every_level_when_it_is_asked_for(start, monkeypatch):
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "console")

    assert start().log_handler.level == logging.NOTSET


def test_the_counter_of_errors_comes_before_whatever_exports_them(start):
    processors = start().log_handler.provider._multi_log_record_processor._log_record_processors

    assert isinstance(processors[0], ErrorCounter)
