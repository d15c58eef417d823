"""A database that others keep busy: requests end with 503 in time, and the probes have connections of their own."""

import asyncio
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from service.api.edge import admission
from service.database import process_engines
from service.database.schedule_tables import ScheduleClaimRow
from service.main import create_app
from service.settings import Settings
from telemetry import setup
from telemetry.database import EngineLimits, create_engine, transaction

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
MANY = 60
LIMITS = EngineLimits(pool_size=5, max_overflow=10, pool_timeout=0.3, statement_timeout=2, lock_timeout=0.3)
TOKEN = {"authorization": "Bearer a-token-of-the-test"}
ENDLESS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
    "postgresql": "SELECT pg_sleep(600)",
}


@pytest.fixture
def app(engine, monkeypatch):
    monkeypatch.setattr(process_engines, "REQUEST_LIMITS", LIMITS)
    monkeypatch.setattr("telemetry.health.runner.CHECK_TIMEOUT", 30.0)
    monkeypatch.setattr(admission, "ADMISSION_TIMEOUT", 0.2)
    url = engine.url.render_as_string(hide_password=False)
    app = create_app(
        Settings(
            database_url=url, scheduler=False, ops_token=TOKEN["authorization"].split()[1], otel_traces_sampler_arg=1.0
        )
    )
    app.state.runtime.lifecycle.mark_ready()

    @app.post("/write")
    def write() -> None:
        with transaction(app.state.runtime.engines.requests) as session:
            session.add(ScheduleClaimRow(job_name="sync", last_tick=datetime(2025, 10, 2, tzinfo=UTC)))

    yield app
    setup.shutdown()
    app.state.runtime.engine.dispose()


def ask(app, paths: list[str], *, then: tuple[str, ...] = ("/readyz", "/healthz", "/livez", "/metrics", "/alerts")):
    """The responses to requests for all paths at once, and to others that are sent while those wait."""

    async def get_all():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=TOKEN) as client:
            waiting = [asyncio.create_task(request(client, path)) for path in paths]
            await asyncio.sleep(0.05)
            others = {path: await client.get(path) for path in then}
            return await asyncio.gather(*waiting), others

    async def request(client, path):
        method, _, path = path.rpartition(" ")
        return await client.request(method or "GET", path)

    return asyncio.run(asyncio.wait_for(get_all(), 60))


@contextmanager
def administrator(engine):
    other = create_engine(engine.url.set(database="postgres"))
    with other.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield lambda statement: connection.execute(text(statement))
    other.dispose()


@contextmanager
def table_locked(engine, table: str):
    with engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {table}"))
        yield


def assert_unavailable(answers, reason: str = ""):
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert any(reason in answer.json()["detail"] for answer in answers)


def statuses(others) -> dict[str, int]:
    return {path: answer.status_code for path, answer in others.items()}


ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("job_runs", "/jobs"),
        ("job_runs", "/jobs/status"),
        ("job_runs", "/jobs/stats/backup_database"),
        ("missed_runs", "/jobs"),
        ("reviews", "/api/v1/reviews"),
        ("reviews", "/api/v1/reviews/1"),
        ("orders", "/api/v1/orders"),
        ("reviews", "POST /api/v1/reviews/1/advice"),
        ("reviews", "POST /api/v1/reviews/1/answer"),
    ],
)
def test_requests_for_a_locked_table_end_and_nothing_else_waits_for_them(engine, app, table, path):
    with table_locked(engine, table):
        answers, others = ask(app, [path] * MANY)

    assert_unavailable(answers, "another transaction holds a lock for too long")
    assert_unavailable(answers, "The service is busy")
    assert set(statuses(others).values()) == {200}


@BOTH
def test_connections_that_requests_hold_are_not_those_of_probes_and_jobs(engine, app):
    with ExitStack() as held:
        pool = app.state.runtime.engines.requests.pool
        for _ in range(pool.size() + pool._max_overflow):
            held.enter_context(app.state.runtime.engines.requests.connect())
        answers, others = ask(app, ["/jobs", "/api/v1/orders", "/jobs/stats/backup_database"])
        with app.state.runtime.engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1

    assert_unavailable(answers, "all connections to the database are in use")
    assert set(statuses(others).values()) == {200}


@BOTH
def test_connections_that_jobs_hold_are_not_those_of_probes_and_requests(engine, app):
    with ExitStack() as held:
        for _ in range(15):
            held.enter_context(app.state.runtime.engine.connect())
        answers, others = ask(app, ["/jobs", "/api/v1/orders", "/jobs/stats/backup_database"])

    assert {answer.status_code for answer in answers} == {200}
    assert set(statuses(others).values()) == {200}


@BOTH
def test_a_query_without_an_end_is_ended(engine, app, monkeypatch):
    requests = app.state.runtime.engines.requests
    endless = text(ENDLESS[engine.dialect.name])

    @app.get("/endless")
    def endless_query() -> int:
        with requests.connect() as connection:
            return connection.execute(endless).scalar_one()

    [answer], others = ask(app, ["/endless"])

    assert_unavailable([answer], "the query took too long")
    assert set(statuses(others).values()) == {200}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_writer_that_does_not_end_is_503_for_a_post_and_keeps_no_reader_waiting(engine, app):
    with engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        [answer], others = ask(app, ["POST /write"], then=("/readyz", "/healthz", "/jobs", "/api/v1/orders"))

    assert_unavailable([answer], "the database is locked")
    assert set(statuses(others).values()) == {200}


@ON_POSTGRESQL
def test_what_a_database_says_when_it_takes_no_connection_is_503(engine, app):
    requests = app.state.runtime.engines.requests
    with engine.connect() as other:
        other.execute(text("SELECT 1"))
        requests.dispose()
        with administrator(engine) as administer:
            name = engine.url.database
            administer(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            try:
                answers, _ = ask(app, ["/jobs", "/jobs/status", "/api/v1/reviews"], then=("/livez", "/metrics"))
            finally:
                administer(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")

    assert_unavailable(answers)


@ON_POSTGRESQL
def test_a_locked_table_is_no_alert_and_each_request_is_counted(engine, app, caplog):
    with table_locked(engine, "job_runs"):
        ask(app, ["/jobs"] * MANY)

    _, others = ask(app, [], then=("/metrics", "/alerts"))
    assert f'http_requests_total{{method="GET",endpoint="/jobs",status="503"}} {MANY}\n' in others["/metrics"].text
    assert others["/alerts"].json()["alerts"] == []
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
    assert "ended span" not in caplog.text


@BOTH
def test_each_statement_of_a_request_is_one_span_and_the_limits_are_none(engine, app):
    spans = InMemorySpanExporter()
    app.state.telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(spans))

    ask(app, ["/api/v1/orders"], then=())

    statements = [span.name for span in spans.get_finished_spans() if "db.query.text" in (span.attributes or {})]
    assert [name.partition(" ")[0] for name in statements] == ["SELECT"]
