"""A database that reads and does not write, through the application."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.schedule_tables import ScheduleClaimRow
from service.main import create_app
from service.settings import Settings
from telemetry import setup
from telemetry.database import create_engine, transaction
from tests.support.processes import eventually

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
READ_ONLY, REPLACED = "the database is read-only", "the database file was deleted or replaced"


def break_database(engine) -> str:
    """Let the database refuse writes; the reason that is expected."""
    if engine.dialect.name == "sqlite":
        Path(engine.url.database).rename(f"{engine.url.database}.moved")
        return REPLACED
    name = engine.url.database
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        connection.commit()
    return READ_ONLY


def mend_database(engine) -> None:
    if engine.dialect.name == "sqlite":
        Path(f"{engine.url.database}.moved").rename(engine.url.database)
        return
    other = create_engine(engine.url.set(database="postgres"))
    with other.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} RESET default_transaction_read_only"))
        connection.commit()
    other.dispose()


@pytest.fixture
def app(engine):
    url = engine.url.render_as_string(hide_password=False)
    app = create_app(Settings(database_url=url, scheduler=False))
    runtime = app.state.runtime
    runtime.lifecycle.mark_ready()

    @app.post("/write")
    def write() -> None:
        with transaction(runtime.engine) as session:
            session.add(ScheduleClaimRow(job_name="sync", last_tick=NOON))

    yield app
    setup.shutdown()
    runtime.engine.dispose()


@pytest.fixture
def client(app, monkeypatch):
    """Results are not shared, so that no test waits for it."""
    for flight in app.state.health.checks._singleflights.values():
        monkeypatch.setattr(flight, "_share_for", 0.0)
    return TestClient(app, raise_server_exceptions=False)


def test_the_probes_are_in_error_with_the_reason_and_recover(engine, client):
    assert (client.get("/healthz").status_code, client.get("/readyz").text) == (200, "ok")
    reason = break_database(engine)

    health, ready = client.get("/healthz"), client.get("/readyz")

    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert health.json()["checks"]["database"] == {"status": "error", "error": reason}
    assert ready.status_code == 503
    assert f"[-]database failed: {reason}" in ready.text

    mend_database(engine)
    client.get("/healthz")  # the pool's connection may have begun while the database was read-only
    eventually(lambda: (client.get("/healthz").status_code, client.get("/readyz").text) == (200, "ok"))


def test_a_post_is_503_and_says_when_to_come_back(app, engine, client):
    client.get("/healthz")
    reason = break_database(engine)
    if reason == READ_ONLY:
        app.state.runtime.engine.dispose()

    answer = client.post("/write")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == f"The database cannot be used now: {reason}."


def test_a_scheduler_that_cannot_claim_says_so_once_and_shows_it_until_it_can(app, engine, client, caplog):
    runtime = app.state.runtime
    client.get("/healthz")
    reason = break_database(engine)
    if reason == READ_ONLY:
        runtime.engine.dispose()
    job = next(job for job in runtime.schedule.jobs if not runtime.schedule.missing(job))

    for minutes in (1, 2, 3):
        runtime.scheduler._run_claimed(job, NOON + timedelta(minutes=minutes))

    said = [record.message for record in caplog.records if record.name.startswith("service.scheduler")]
    assert said == [f"The scheduler cannot claim runs: {reason}. No job starts until it can."]
    assert f"[-]scheduler failed: runs cannot be claimed: {reason}" in client.get("/readyz").text
    if reason == READ_ONLY:  # a deleted file cannot be read either
        listed = {each["job_name"]: each for each in client.get("/jobs").json()["jobs"]}
        assert listed[job.name]["state"] == "blocked"
        assert listed[job.name]["reason"] == f"The scheduler cannot claim runs: {reason}."

    mend_database(engine)
    client.get("/readyz")
    assert client.get("/readyz").text == "ok"
    listed = {each["job_name"]: each for each in client.get("/jobs").json()["jobs"]}
    assert (listed[job.name]["state"], listed[job.name]["reason"]) == ("scheduled", None)
