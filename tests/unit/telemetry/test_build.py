"""The shutdown: whatever one of its steps raises, everything that was recorded arrives, and the threads end."""

import logging
import pkgutil
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from telemetry import create_tables, setup
from telemetry.database import create_engine
from telemetry.instrumentation.libraries import uninstrument_libraries
from telemetry.jobs import monitor_job
from telemetry.logs.setup import detach, end_logging
from telemetry.options import TelemetryOptions
from telemetry.settings import TelemetrySettings
from tests.support.otlp_receiver import otlp_receiver
from tests.support.sqlite import rows

STEPS = [
    "telemetry.alerts.service.deactivate",
    "telemetry.jobs.monitor.deactivate",
    "telemetry.build.uninstrument_libraries",
    "telemetry.build.detach",
    "telemetry.build.end_logging",
    "telemetry.instrumentation.libraries.POOLS.unwatch",
    "telemetry.instrumentation.libraries._remove_published_listeners",
    "telemetry.instrumentation.httpx.HTTPClientInstrumentor.uninstrument",
    "telemetry.instrumentation.sqlalchemy.QueryDurationInstrumentor.uninstrument",
    "opentelemetry.instrumentation.sqlalchemy.SQLAlchemyInstrumentor.uninstrument",
    "telemetry.metrics.pipeline.MetricsPipeline.stop",
    "telemetry.jobs.liveness.reaper.Reaper.stop",
    "telemetry.alerts.pipeline.AlertPipeline.stop_rules",
    "telemetry.alerts.rules.job_failures.JobFailuresRule.note_told",
    "telemetry.alerts.outbox.file.Outbox.close",
    "sqlalchemy.engine.Engine.dispose",
    "telemetry.processes.registry.ProcessRegistry.release",
]
ENDS_A_THREAD = {
    "telemetry.build.detach",
    "telemetry.jobs.liveness.reaper.Reaper.stop",
    "telemetry.alerts.pipeline.AlertPipeline.stop_rules",
}


@pytest.fixture
def arrived(monkeypatch):
    """Receives what is flushed at the end, and nothing before."""
    with otlp_receiver() as receiver:
        for name, value in {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_SAMPLER": "always_on",
            **{f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")},
            **{f"OTEL_{queue}_SCHEDULE_DELAY": "600000" for queue in ("BSP", "BLRP")},
            "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        }.items():
            monkeypatch.setenv(name, value)
        yield receiver


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def running(arrived, engine):
    """The telemetry, and the threads that there were before."""
    before = set(threading.enumerate())
    telemetry = setup.start(engine=engine, settings=TelemetrySettings(), options=TelemetryOptions(), logs=False)
    yield telemetry, before
    telemetry.jobs.reaper.stop()
    telemetry.alerts.stop_rules()
    telemetry.alerts.outbox.close()
    uninstrument_libraries()
    detach(telemetry.log_handler)
    end_logging()


def record_everything(engine):
    with monitor_job("count_eggs"), engine.connect() as connection:
        connection.execute(text("SELECT 6 AS eggs"))
    logging.getLogger("farm").error("an egg is broken")


def threads_since(before):
    left = [thread for thread in threading.enumerate() if thread not in before and not is_of_the_receiver(thread)]
    for thread in left:
        thread.join(30)
    return [thread.name for thread in left if thread.is_alive()]


def is_of_the_receiver(thread):
    return "process_request_thread" in thread.name


@pytest.mark.parametrize(
    "works",
    [pytest.param(False, id="instead of working"), pytest.param(True, id="after its work", marks=pytest.mark.e2e)],
)
@pytest.mark.parametrize("step", STEPS)
def test_whatever_a_step_raises_everything_arrives(
    running, arrived, engine, tmp_path, monkeypatch, caplog, step, works
):
    _, before = running
    record_everything(engine)
    original = pkgutil.resolve_name(step)

    def fail(*arguments, **options):
        if works:
            original(*arguments, **options)
            raise SystemExit("no end")
        raise RuntimeError("no end")

    with monkeypatch.context() as broken:
        broken.setattr(step, fail)
        setup.shutdown(30)

    assert arrived.spans().keys() >= {"job count_eggs", "SELECT"}
    assert arrived.metrics().keys() >= {"job.runs", "app.errors", "db.client.connection.count"}
    assert "an egg is broken" in arrived.logs()
    assert rows(tmp_path / "own.db", "SELECT job_name, status FROM job_runs") == [("count_eggs", "success")]
    assert rows(tmp_path / "var/alerts/outbox.db", "SELECT words FROM incidents") == [("an egg is broken",)]
    if works or step not in ENDS_A_THREAD:
        assert threads_since(before) == []
    assert [record.getMessage() for record in caplog.records if "Shutdown: " in record.getMessage()]


def test_an_async_engine_costs_nothing_at_the_end(running, arrived, engine, postgres_engine, caplog):
    _, before = running
    asynchronous = create_async_engine(postgres_engine.url.set(drivername="postgresql+psycopg_async"))
    record_everything(engine)

    setup.shutdown(30)

    assert asynchronous.sync_engine.pool.checkedout() == 0
    assert arrived.paths() == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert threads_since(before) == []
    assert "Shutdown: " not in caplog.text
