import logging

import pytest

from telemetry import setup
from telemetry.database import create_engine, dedicated_engine
from telemetry.instrumentation.fastapi import published
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor
from telemetry.jobs import monitor
from telemetry.selftest import NothingEmitted, SelfTest
from telemetry.settings import TelemetrySettings


@pytest.fixture
def telemetry_of(sqlite_engine):
    def start(**settings):
        return setup.start(engine=sqlite_engine, settings=TelemetrySettings(**settings))

    yield start
    setup.shutdown()


@pytest.fixture
def telemetry(telemetry_of):
    return telemetry_of()


@pytest.fixture
def selftest(telemetry, sqlite_engine):
    return SelfTest(telemetry, sqlite_engine)


@pytest.mark.parametrize("sampler", ["always_on", "parentbased_traceidratio"])
def test_all_of_it_comes_out_more_than_once(telemetry_of, sqlite_engine, sampler):
    selftest = SelfTest(telemetry_of(otel_traces_sampler=sampler, otel_traces_sampler_arg=0), sqlite_engine)

    for _ in range(2):
        assert {name: check() for name, check in selftest.checks().items()} == {
            "request": "counted and traced",
            "query": "measured and traced",
            "call": "measured and traced",
            "job": "recorded, measured and traced",
            "log": "counted",
        }


def test_a_published_middleware_of_another_shape_is_noticed(selftest, monkeypatch, caplog):
    class OtherShape(published.OpenTelemetryMiddleware):
        """As another version may have it: it does not keep its meter."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            del self.meter

    monkeypatch.setattr("opentelemetry.instrumentation.fastapi.OpenTelemetryMiddleware", OtherShape)
    monkeypatch.setattr("telemetry.instrumentation.fastapi.instrumentor._warned", set())

    assert selftest.request().endswith(", by the published package alone: its middleware has no meter")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_job_that_was_tried_leaves_no_row(selftest, telemetry):
    selftest.job()

    assert telemetry.jobs.store.names() == []


def test_the_error_that_was_tried_reaches_no_other_handler(selftest, caplog):
    selftest.log()

    assert caplog.records == []


def test_queries_that_are_not_measured_are_noticed(selftest):
    QueryDurationInstrumentor().uninstrument()

    with pytest.raises(NothingEmitted, match=r'^db_query_duration_seconds_count\{query_type="select"\} did not grow'):
        selftest.query()


def test_an_engine_whose_queries_have_no_spans_is_noticed(telemetry_of, tmp_path):
    strange = dedicated_engine(create_engine(f"sqlite:///{tmp_path}/strange.db"))
    selftest = SelfTest(telemetry_of(), strange)

    with pytest.raises(NothingEmitted, match="SELECT"):
        selftest.query()

    strange.dispose()


def test_calls_that_are_not_measured_are_noticed(selftest):
    HTTPClientInstrumentor().uninstrument()

    with pytest.raises(NothingEmitted, match="external_api_duration_seconds_count"):
        selftest.call()


def test_jobs_that_are_not_monitored_are_noticed(selftest):
    monitor.deactivate()

    with pytest.raises(NothingEmitted, match="scheduler_jobs_total"):
        selftest.job()


def test_a_run_that_does_not_arrive_is_noticed(telemetry, selftest):
    """The recorder is shut down: the job is measured and traced, but not recorded."""
    telemetry.jobs.recorder.shutdown(1)

    with pytest.raises(NothingEmitted, match=r"^The run did not arrive in job_runs\.$"):
        selftest.job()


def test_errors_that_are_not_counted_are_noticed(telemetry, selftest):
    telemetry.log_handler.setLevel(logging.CRITICAL)

    with pytest.raises(NothingEmitted, match="errors_total"):
        selftest.log()


def test_spans_that_do_not_come_out_are_noticed(selftest):
    selftest._spans.shutdown()

    with pytest.raises(NothingEmitted, match=r"^No span 'GET /selftest' came out\.$"):
        selftest.request()


def test_tracing_that_is_switched_off_is_no_fault(telemetry_of, sqlite_engine):
    selftest = SelfTest(telemetry_of(otel_traces_sampler="always_off"), sqlite_engine)

    assert selftest.request() == "counted; not traced, as OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS say"
    assert selftest.job() == "recorded, measured; not traced, as OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS say"
