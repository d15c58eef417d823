"""Outages: the service with a database that is not there, or that says nothing."""

import socket
import time
from contextlib import ExitStack
from typing import Any, Final

import pytest
from sqlalchemy import inspect
from sqlalchemy.engine import URL

from telemetry.database import create_engine
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.tcp_proxy import proxied_url, tcp_proxy

ON_POSTGRESQL: Final = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
AT_ONCE: Final = 2.0  # the promise is 0.8 s; this machine may have other things to do


def timed(service: Program, path: str) -> tuple[int, float, str]:
    begun = time.monotonic()
    answer = service.get(path)
    return answer.status_code, time.monotonic() - begun, answer.text


@pytest.mark.e2e
@ON_POSTGRESQL
def test_a_database_that_comes_late_is_waited_for_and_migrated(database_url: URL, programs: Programs):
    port = free_port()
    service = programs.serve(DATABASE_URL=proxied_url(database_url, port))
    service.wait_for("/livez")

    ready, _, why = timed(service, "/readyz")
    health, took, body = timed(service, "/healthz")

    assert ready == 503
    assert "[-]database failed" in why
    assert "refused" in why
    assert health == 503
    assert '"status":"error"' in body
    assert took < AT_ONCE

    with tcp_proxy(port, database_url):
        service.wait_for("/readyz")
        assert service.get("/healthz").status_code == 200
        engine = create_engine(database_url)
        tables = inspect(engine).get_table_names()
        engine.dispose()
    assert {"job_runs", "schedule_claims", "alembic_version"} <= {*tables}


@pytest.mark.e2e
@ON_POSTGRESQL
def test_a_database_that_says_nothing_any_more_keeps_no_probe_and_no_scrape_waiting(
    database_url: URL, programs: Programs
):
    port = free_port()
    with tcp_proxy(port, database_url) as database, ExitStack() as clients:
        service = programs.serve(DATABASE_URL=proxied_url(database_url, port))
        service.wait_for("/readyz")
        database.silent = True
        hanging = [clients.enter_context(ask(service, "/jobs/status")) for _ in range(60)]

        eventually_unhealthy = service.wait_for("/healthz", 503)
        (health, took, body), (live, lived, _) = timed(service, "/healthz"), timed(service, "/livez")
        (ready, readied, _), (page, scraped, series) = timed(service, "/readyz"), timed(service, "/metrics")

        assert "no response within" in eventually_unhealthy.text
        assert (health, live, ready, page) == (503, 200, 503, 200)
        assert max(took, lived, readied, scraped) < AT_ONCE
        assert "http_requests_in_progress" in series
        assert "no response within" in body
        refused = eventually(lambda: [client for client in hanging if has_answer(client)])
        assert all(client.recv(30).startswith(b"TTP/1.1 503 ") for client in refused)

        database.silent = False
        service.wait_for("/readyz")


@pytest.mark.e2e
def test_a_database_file_that_is_moved_away_is_an_alert_within_30_seconds_and_so_is_its_return(programs: Programs):
    service = programs.serve(DATABASE_URL="sqlite:///shop.db")
    service.wait_for("/readyz")
    file = programs.home / "shop.db"
    moved = file.rename(file.with_suffix(".moved"))

    health, ready = service.wait_for("/healthz", 503), service.wait_for("/readyz", 503)
    alerts = eventually(lambda: database_alerts(service), within=30)

    assert "the database file was deleted or replaced" in health.text
    assert "[-]database failed: the database file was deleted or replaced" in ready.text
    assert "the database file was deleted or replaced" in alerts[0]["text"]
    assert not file.exists()

    moved.rename(file)
    service.wait_for("/readyz")
    eventually(lambda: database_alerts(service)[0]["ended"] == "resolved", within=30)


def database_alerts(service: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/alerts").json()["alerts"]
    return [each for each in found if each["component"] == "database"]


def ask(service: Program, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


def has_answer(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1))
    except BlockingIOError:
        return False
