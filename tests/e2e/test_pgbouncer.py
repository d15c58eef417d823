"""PostgreSQL behind PgBouncer in transaction mode: each transaction may have another connection to the server."""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError

from telemetry.database import EngineLimits, create_engine, dedicated_engine
from tests.support.processes import Programs, eventually, free_port

pytestmark = pytest.mark.e2e
SERVER_CONNECTIONS = 2
CLIENTS = 4
REPEATS = 10
CONFIG = """
[databases]
* = host={socket} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
{user}
"""


@pytest.fixture
def pooled(postgres_engine: Engine, programs: Programs, pgbouncer: str) -> Iterator[URL]:
    """The URL of a migrated database, by a PgBouncer that has fewer connections to the server than there are clients."""
    socket = Path(str(postgres_engine.url.query["host"]))
    user = f"user = {socket.owner()}" if os.geteuid() == 0 else ""  # it refuses to run as root
    port = free_port()
    file = programs.write(
        "pgbouncer.ini", CONFIG.format(socket=socket, port=port, connections=SERVER_CONNECTIONS, user=user)
    )
    started = programs.start_command(pgbouncer, str(file), port=port)
    eventually(started.listens)
    yield make_url(f"postgresql+psycopg://postgres@127.0.0.1:{port}/{postgres_engine.url.database}")
    started.kill()


def work(url: URL) -> None:
    """Several clients in turn, each with the same statements in several transactions."""
    engine = create_engine(url)
    clients = [engine.connect() for _ in range(CLIENTS)]
    try:
        for repeat, client in product(range(REPEATS), clients):
            assert client.scalar(text("SELECT :number + 1"), {"number": repeat}) == repeat + 1
            client.commit()
    finally:
        for client in clients:
            client.invalidate()
        engine.dispose()


def test_without_prepared_statements_clients_share_the_servers_connections(pooled):
    work(pooled.update_query_dict({"prepare_threshold": "none"}))

    with pytest.raises(DBAPIError, match="prepared statement"):
        work(pooled)


def test_limits_of_statements_hold_for_their_own_transactions(pooled):
    engine = create_engine(pooled.update_query_dict({"prepare_threshold": "none"}))
    limited = dedicated_engine(engine, EngineLimits(statement_timeout=3, lock_timeout=2))
    clients = [limited, engine] * SERVER_CONNECTIONS

    seen = [_limits(client) for client in clients]

    engine.dispose()
    assert seen == [["3s", "2s"], ["0", "0"]] * SERVER_CONNECTIONS


def _limits(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [connection.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout")]


def test_the_service_runs_behind_it(pooled, programs, postgres_engine):
    environment = {
        "DATABASE_URL": pooled.render_as_string(),
        "DATABASE_PREPARED_STATEMENTS": "false",
        "DATA_DIR": str(programs.home / "behind"),
        "LOG_DIR": str(programs.home / "log"),
    }
    service = programs.serve("--workers", "2", **environment)
    service.wait_for("/readyz", within=60)

    statuses = {service.get(path).status_code for path in ("/jobs", "/jobs/status", "/api/v1/reviews") * 20}
    runs = [programs.run("-m", "service", "run-job", "check_resources", **environment) for _ in range(3)]

    assert statuses == {200}
    assert [run.returncode for run in runs] == [0, 0, 0], runs[0].stderr
    assert _successes(postgres_engine) >= len(runs)
    assert "prepared statement" not in service.said()
    assert " ERROR " not in service.said()


def _successes(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM job_runs WHERE outcome = 'success'"))
