"""The figures of the console are those of the client: of several workers, also if the one that samples is killed, and after a restart."""

import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import psutil
import pytest

from telemetry.recent.database import RecentDatabase
from telemetry.recent.point_queries import PointQueries
from telemetry.recent.points.plotted import REQUESTS
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.worker_consistency import workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
WORKERS: Final = 4
HOUR: Final = 3600
ROUTES: Final = {
    ("/api/v1/reviews", "200"): "/api/v1/reviews?limit=1",
    ("/api/v1/reviews", "422"): "/api/v1/reviews?limit=nothing",
    ("/api/v1/reviews/{review_id}", "404"): "/api/v1/reviews/99999",
    ("/livez", "200"): "/livez",
    ("unmatched", "404"): "/nothing",
}
Figures = Counter[tuple[str, str]]


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def queries(tmp_path: Path) -> Iterator[PointQueries]:
    database = RecentDatabase(tmp_path / "var" / "recent.db")
    yield PointQueries(database)
    database.close()


def start(programs: Programs) -> Program:
    service = programs.uvicorn("service.main:app", "--workers", str(WORKERS), SCHEDULER="false")
    service.wait_for("/readyz", within=180)
    eventually(lambda: len(workers(service)) == WORKERS, within=180)
    return service


def start_gunicorn(programs: Programs) -> Program:
    """Its parent leaves a worker that hangs alone for two minutes."""
    port = free_port()
    options = ("-w", "2", "-b", f"127.0.0.1:{port}", "--timeout", "120")
    worker = "uvicorn.workers.UvicornWorker"
    service = programs.start("-m", "gunicorn", "-k", worker, *options, "service.main:app", port=port, SCHEDULER="false")
    service.wait_for("/readyz", within=180)
    eventually(lambda: len(workers(service)) == 2, within=180)
    return service


def send(service: Program, number: int) -> Figures:
    """Requests over connections of their own, so that all workers get some. Returns what the client knows of them."""
    figures: Figures = Counter()
    for place in range(number):
        (endpoint, status), path = list(ROUTES.items())[place % len(ROUTES)]
        answer = httpx.get(service.url + path, timeout=60, trust_env=False)
        assert str(answer.status_code) == status
        figures[endpoint, status] += 1
    return figures


def figures(queries: PointQueries) -> Figures:
    """What the console has of the routes, without the probe that waits for the start."""
    now = queries.newest_sample() or 0.0
    found = queries.totals(REQUESTS, now - HOUR, now, by=("endpoint", "status"))
    return Counter(
        {(total.labels["endpoint"], total.labels["status"]): int(total.value) for total in found if total.value}
    )


def shows(queries: PointQueries, sent: Figures) -> bool:
    found = figures(queries)
    return {key: found[key] for key in ROUTES} == {key: sent[key] for key in ROUTES}


def elected(service: Program, directory: Path) -> psutil.Process:
    """The worker that samples: it holds the lock of the group."""
    (lock,) = directory.glob("workers/*/recent.lock")
    held = re.compile(rf"FLOCK +ADVISORY +WRITE (\d+) \S+:{lock.stat().st_ino} ")
    pids = {int(pid) for pid in held.findall(Path("/proc/locks").read_text())}
    return next(worker for worker in workers(service) if worker.pid in pids)


def elected_besides(stopped: psutil.Process, service: Program, directory: Path) -> psutil.Process | None:
    try:
        found = elected(service, directory)
    except (ValueError, StopIteration):  # the lock is being replaced
        return None
    return found if found != stopped else None


def test_figures_are_those_of_the_client_whoever_is_killed_and_a_restart_is_no_spike(
    programs: Programs, queries: PointQueries, tmp_path: Path
):
    service = start(programs)
    first = eventually(queries.newest_sample, within=120)
    sent = send(service, 250)
    eventually(lambda: elected(service, tmp_path / "var"), within=60).kill()
    sent += send(service, 250)
    eventually(lambda: shows(queries, sent), within=120)
    eventually(lambda: (queries.newest_sample() or 0) > first, within=120)
    page = service.get("/console/requests").text
    for endpoint, _status in ROUTES:
        count = sum(number for (route, _), number in sent.items() if route == endpoint)
        row = page[page.index(f">{endpoint}</a>") :]
        assert re.search(r'class="num">([^<]*)<', row)[1] == str(count)  # type: ignore[index]

    service.tell(signal.SIGTERM)
    service.exit_code(within=120)
    assert shows(queries, sent)
    last = queries.newest_sample() or 0.0
    again = start(programs)
    eventually(lambda: (queries.newest_sample() or 0.0) > last + 20, within=180)
    assert shows(queries, sent)
    sent += send(again, 50)
    eventually(lambda: shows(queries, sent), within=120)
    (points,) = queries.over_time(REQUESTS, last, last + HOUR, 10, match={"endpoint": "/livez"})
    values = [value for value in points.values if value is not None]
    assert min(values) == 0 < max(values) <= 10


def test_figures_are_those_of_the_client_if_the_worker_that_samples_is_stopped_and_after_a_rolling_update(
    programs: Programs, queries: PointQueries, tmp_path: Path
):
    service = start_gunicorn(programs)
    eventually(queries.newest_sample, within=120)
    stopped = eventually(lambda: elected(service, tmp_path / "var"), within=60)
    stopped.suspend()
    sent = send(service, 25)
    successor = eventually(lambda: elected_besides(stopped, service, tmp_path / "var"), within=120)
    eventually(lambda: shows(queries, sent), within=120)
    stopped.resume()
    sent += send(service, 25)
    eventually(lambda: shows(queries, sent), within=120)
    assert elected(service, tmp_path / "var") == successor

    update = start_gunicorn(programs)
    sent += send(update, 25) + send(service, 25)
    service.tell(signal.SIGTERM)
    service.exit_code(within=120)
    sent += send(update, 25)
    eventually(lambda: shows(queries, sent), within=120)
