import asyncio
import json
import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from service.api.health import ServiceHealth, router
from service.api.problems import install_exception_handlers
from service.shutdown import StopSignal
from telemetry.database import create_engine
from telemetry.error_text import CheckFailed
from telemetry.health import checks
from telemetry.health.filesystem import Filesystem
from telemetry.health.lifecycle import Lifecycle
from telemetry.health.report import CheckResult
from telemetry.health.runner import Check, HealthChecks
from telemetry.health.system_resources import SystemResources
from telemetry.health.usage import Usage
from telemetry.settings import TelemetrySettings

MB, GB = 1024**2, 1024**3
PROBES = ("/health", "/healthz", "/livez", "/readyz", "/readyz/database")
ANYIO_THREADS = 40
DEFAULT_THREADS = min(32, (os.cpu_count() or 1) + 4)  # of asyncio's own executor
MISSING = "migrations are missing: run `alembic upgrade head`"


def fine() -> None:
    """A check that passes."""


def refused() -> None:
    raise ConnectionRefusedError(111, "Connection refused", "db.example")


def behind() -> None:
    raise CheckFailed(MISSING)


@pytest.fixture
def stop_signal() -> StopSignal:
    return StopSignal()


@pytest.fixture
def lifecycle(stop_signal: StopSignal) -> Lifecycle:
    lifecycle = Lifecycle(stop_signal.is_running)
    lifecycle.mark_ready()
    return lifecycle


def resources(disk: Usage, memory: Usage) -> SystemResources:
    return SystemResources([Path("var")], measure=lambda _path: Filesystem(1, disk, None), read_memory=lambda: memory)


ROOMY = resources(Usage(65 * GB, 100 * GB), Usage(45 * MB, 100 * MB))
FULL = resources(Usage(95 * GB, 100 * GB), Usage(45 * MB, 100 * MB))


def application(
    lifecycle: Lifecycle,
    machine: SystemResources = ROOMY,
    settings: TelemetrySettings | None = None,
    **readiness: Check,
) -> FastAPI:
    app = FastAPI()
    needed = {"database": fine, "migrations": fine} | readiness
    app.state.health = ServiceHealth.create(lifecycle, machine, settings or TelemetrySettings(), needed)
    install_exception_handlers(app)
    app.include_router(router)
    return app


async def ask(app: FastAPI, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        return await client.request(method, path)


def get(app: FastAPI, path: str) -> httpx.Response:
    return asyncio.run(ask(app, path))


def test_health_is_the_contracts_and_checks_nothing(lifecycle):
    answer = get(application(lifecycle, database=refused), "/health")

    assert (answer.status_code, answer.text) == (200, '{"status":"ok"}')


def test_healthz_is_the_contracts_when_all_is_well(lifecycle):
    disk = Filesystem(1, Usage(int(45.2 * GB / 35 * 65), int(45.2 * GB / 35 * 100)), Usage(10, 100))
    machine = SystemResources(
        [Path("var")],
        measure=lambda _path: disk,
        read_memory=lambda: Usage(int(1024.5 * MB / 55 * 45), int(1024.5 * MB / 55 * 100)),
    )
    names = ("database", "disk", "memory", "uptime")
    app = application(lifecycle)
    app.state.health = ServiceHealth(
        lifecycle,
        HealthChecks(
            {
                "database": lambda: CheckResult(details={"latency_ms": 2.5}),
                "disk": checks.disk(machine, 90),
                "memory": checks.memory(machine, 90),
                "uptime": checks.uptime(lambda: 3600.5),
            }
        ),
        health=names,
        readiness=(),
        now=lambda: datetime(2025, 10, 2, 12, tzinfo=UTC),
    )

    answer = get(app, "/healthz")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.dumps(answer.json()) == (
        '{"status": "healthy", "healthy": true, "checks": {'
        '"database": {"status": "ok", "latency_ms": 2.5}, '
        '"disk": {"status": "ok", "free_gb": 45.2, "used_percent": 65, "inodes_used_percent": 10}, '
        '"memory": {"status": "ok", "available_mb": 1024.5, "used_percent": 45}, '
        '"uptime": {"status": "ok", "uptime_seconds": 3600.5, "uptime_human": "1h 0m"}, '
        '"timestamp": "2025-10-02T12:00:00+00:00"}}'
    )


def test_healthz_is_the_contracts_when_something_fails(lifecycle):
    answer = get(application(lifecycle, machine=FULL, database=refused), "/healthz")

    found = answer.json()
    assert answer.status_code == 503
    assert (found["status"], found["healthy"]) == ("unhealthy", False)
    assert found["checks"]["database"] == {"status": "error", "error": "Connection refused"}
    assert found["checks"]["disk"] == {
        "status": "warning",
        "free_gb": 5.0,
        "used_percent": 95,
        "inodes_used_percent": None,
    }


def test_a_full_disk_degrades_the_service_and_leaves_it_in_rotation(lifecycle):
    answer = get(application(lifecycle, machine=FULL), "/healthz")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["healthy"]) == ("degraded", True)


def test_the_thresholds_are_the_settings(lifecycle):
    settings = TelemetrySettings(alert_threshold_disk=64, alert_threshold_memory=44)

    found = get(application(lifecycle, settings=settings), "/healthz").json()["checks"]

    assert (found["disk"]["status"], found["memory"]["status"]) == ("warning", "warning")


def test_healthz_examines_this_machine_and_a_real_database(lifecycle, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    settings = TelemetrySettings(data_dir=tmp_path, log_dir=tmp_path / "log", database_url=str(engine.url))

    def ping() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    answer = get(application(lifecycle, SystemResources.from_settings(settings), settings, database=ping), "/healthz")
    engine.dispose()

    found = answer.json()["checks"]
    assert answer.status_code == 200
    assert list(found) == ["database", "disk", "memory", "uptime", "timestamp"]
    assert found["database"]["latency_ms"] >= 0
    assert found["uptime"]["uptime_seconds"] > 0
    assert datetime.fromisoformat(found["timestamp"]).utcoffset().total_seconds() == 0


def test_liveness_is_ok_with_everything_broken(hang):
    def leave() -> None:
        raise SystemExit(1)

    app = application(Lifecycle(), machine=FULL, database=hang, migrations=behind, telegram=leave)

    answer, verbose = get(app, "/livez"), get(app, "/livez?verbose")

    assert (answer.status_code, answer.text) == (200, "ok")
    assert (verbose.status_code, verbose.text) == (200, "[+]ping ok\nlivez check passed\n")


def test_readiness_is_ok_in_kubernetes_form(lifecycle):
    app = application(lifecycle, telegram=fine)

    answer, verbose = get(app, "/readyz"), get(app, "/readyz?verbose")

    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert (verbose.status_code, verbose.text) == (
        200,
        "[+]lifecycle ok\n[+]database ok\n[+]migrations ok\n[+]telegram ok\nreadyz check passed\n",
    )


@pytest.mark.parametrize("path", ["/readyz", "/readyz?verbose", "/readyz?verbose=1"])
def test_readiness_says_why_it_fails(lifecycle, path):
    answer = get(application(lifecycle, migrations=behind), path)

    assert (answer.status_code, answer.text) == (
        503,
        f"[+]lifecycle ok\n[+]database ok\n[-]migrations failed: {MISSING}\nreadyz check failed\n",
    )


def test_readiness_fails_while_the_service_starts_and_while_it_stops(stop_signal):
    lifecycle = Lifecycle(stop_signal.is_running)
    app = application(lifecycle)

    starting = get(app, "/readyz")
    lifecycle.mark_ready()
    ready = get(app, "/readyz")
    stop_signal.set()
    stopping = get(app, "/readyz")

    assert [answer.status_code for answer in (starting, ready, stopping)] == [503, 200, 503]
    assert "[-]lifecycle failed: starting\n" in starting.text
    assert "[-]lifecycle failed: stopping\n" in stopping.text


def test_a_signal_that_comes_during_the_examination_counts(lifecycle, stop_signal):
    answer = get(application(lifecycle, database=stop_signal.set), "/readyz")

    assert answer.status_code == 503
    assert "[-]lifecycle failed: stopping\n" in answer.text


@pytest.mark.parametrize(
    ("check", "status", "body"),
    [
        ("lifecycle", 200, "ok"),
        ("database", 200, "ok"),
        ("migrations", 503, f"[-]migrations failed: {MISSING}\nreadyz check failed\n"),
    ],
)
def test_one_check_can_be_asked_for(lifecycle, check, status, body):
    answer = get(application(lifecycle, migrations=behind), f"/readyz/{check}")

    assert (answer.status_code, answer.text) == (status, body)


def test_one_check_does_not_wait_for_another_that_hangs(lifecycle, hang):
    started = time.monotonic()
    answer = get(application(lifecycle, migrations=hang), "/readyz/database?verbose")

    assert answer.text == "[+]database ok\nreadyz check passed\n"
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("name", ["nothing", "disk", "%0Aevil"])
def test_an_unknown_check_is_a_problem_that_says_which_there_are(lifecycle, name):
    answer = get(application(lifecycle), f"/readyz/{name}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith("There are: lifecycle, database, migrations.")


@pytest.mark.parametrize("path", PROBES)
def test_no_probe_is_ever_cached_and_head_is_answered_too(lifecycle, path):
    app = application(lifecycle)

    answers = [asyncio.run(ask(app, path, method)) for method in ("GET", "HEAD")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_bad_news_is_never_cached_either(lifecycle):
    app = application(lifecycle, database=refused)

    answers = [asyncio.run(ask(app, path, method)) for path in ("/healthz", "/readyz") for method in ("GET", "HEAD")]

    assert {(answer.status_code, answer.headers["cache-control"]) for answer in answers} == {(503, "no-store")}


def test_the_probes_are_documented_once_each(lifecycle):
    paths = get(application(lifecycle), "/openapi.json").json()["paths"]

    assert {path: list(methods) for path, methods in paths.items()} == {
        path: ["get"] for path in ("/health", "/healthz", "/livez", "/readyz", "/readyz/{check}")
    }


def test_probes_share_one_look_at_the_database(lifecycle):
    calls = []
    app = application(lifecycle, database=lambda: calls.append(1))

    async def storm() -> set[int]:
        paths = ("/healthz", "/readyz", "/readyz/database", "/readyz?verbose")
        answers = await asyncio.gather(*(ask(app, paths[number % 4]) for number in range(200)))
        return {answer.status_code for answer in answers}

    assert asyncio.run(storm()) == {200}
    assert len(calls) == 1


def test_probes_are_answered_when_hung_requests_have_taken_every_worker_thread(lifecycle):
    released, running = threading.Event(), []

    def hangs() -> None:
        running.append(1)
        assert released.wait(30)

    async def probe(app: FastAPI) -> list[int]:
        loop = asyncio.get_running_loop()
        hung = [loop.run_in_executor(None, hangs) for _ in range(DEFAULT_THREADS)]
        hung += [asyncio.ensure_future(ask(app, "/hangs")) for _ in range(ANYIO_THREADS + 5)]
        try:
            async with asyncio.timeout(10):
                while len(running) < DEFAULT_THREADS + ANYIO_THREADS:  # noqa: ASYNC110  # threads tell no event loop
                    await asyncio.sleep(0.01)
            answers = await asyncio.wait_for(asyncio.gather(*(ask(app, path) for path in PROBES)), 0.8)
        finally:
            released.set()
            await asyncio.gather(*hung)
        return [answer.status_code for answer in answers]

    app = application(lifecycle)
    app.add_api_route("/hangs", hangs)

    assert asyncio.run(probe(app)) == [200] * len(PROBES)


def test_every_probe_is_answered_in_time_when_the_database_accepts_and_never_answers(lifecycle):
    async def timed(path: str) -> tuple[int, float]:
        started = time.monotonic()
        answer = await ask(app, path)
        return answer.status_code, time.monotonic() - started

    async def probe() -> dict[str, tuple[int, float]]:
        return dict(zip(PROBES, await asyncio.gather(*map(timed, PROBES)), strict=True))

    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = create_engine(f"postgresql+psycopg://anna:very-secret@127.0.0.1:{silent.getsockname()[1]}/shop")
        app = application(lifecycle, database=lambda: engine.connect().close())
        answers = asyncio.run(probe())
        body = get(app, "/healthz")

    for thread in threading.enumerate():  # the listener is closed, so the driver has given up
        if thread.name == "health-database":
            thread.join(10)
    engine.dispose()
    assert {path: status for path, (status, _took) in answers.items()} == {
        "/health": 200,
        "/healthz": 503,
        "/livez": 200,
        "/readyz": 503,
        "/readyz/database": 503,
    }
    assert max(took for _status, took in answers.values()) < 3
    assert body.json()["checks"]["database"] == {"status": "error", "error": "no response within 700 ms"}
    assert "secret" not in body.text
