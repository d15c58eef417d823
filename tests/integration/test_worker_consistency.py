"""Several workers: the page is the whole service's, whichever of them answers, and whatever becomes of them."""

import os
import re
import signal
import stat
import time
from collections.abc import Iterator

import pytest

from tests.support.processes import Program, Programs, eventually
from tests.support.worker_consistency import ConsistencyCheck, kill_one, workers

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("worker consistency")]

HEALTH = ("/health", "200")


def page_of_all(service: Program) -> str:
    """The page, as soon as it is that of both workers."""
    page = service.get("/metrics").text
    return page if len(re.findall(r"^telemetry_worker_snapshot_age_seconds\{", page, re.MULTILINE)) == 2 else ""


def served(programs: Programs, *arguments: str, **environment: str) -> Program:
    """Two workers, as soon as both answer."""
    service = programs.uvicorn("service.main:app", "--workers", "2", *arguments, SCHEDULER="false", **environment)
    service.wait_for("/readyz", within=60)
    eventually(lambda: len(workers(service)) == 2 and page_of_all(service), within=60)
    return service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    programs = Programs(tmp_path_factory.mktemp("workers"))
    yield served(programs)
    programs.kill()


def test_a_worker_that_hangs_delays_a_page_by_its_deadline_and_its_numbers_stand_in(service: Program):
    for _ in range(20):
        service.get("/health")
    before = ConsistencyCheck(service).counted()[HEALTH]
    hung = workers(service)[0]

    os.kill(hung.pid, signal.SIGSTOP)
    pages = []
    try:
        for _ in range(3):  # asked of whoever accepts first; the hung one accepts none
            began = time.monotonic()
            pages.append((ConsistencyCheck(service).counted()[HEALTH], time.monotonic() - began))
    finally:
        os.kill(hung.pid, signal.SIGCONT)

    assert [number for number, _ in pages] == [before] * 3
    assert all(0.25 < took < 10 for _, took in pages)


def test_workers_of_which_some_are_killed_show_what_the_client_got_and_no_counter_falls(service: Program):
    before, check = ConsistencyCheck(service).counted(), ConsistencyCheck(service)

    for _ in range(10):  # until two have been killed, however busy the machine is
        check.run(6, kill_one, interval=2.0)
        if len(check.kills) >= 2:
            break

    page = {key: number - before.get(key, 0) for key, number in eventually(check.counted).items()}
    assert check.decreased == []
    assert len(check.kills) >= 2
    assert min(scraper.scrapes for scraper in check.scrapers) > 3
    assert check.missing(page) == 0
    # One that was answered to nobody, since its worker was killed, may be counted.
    assert check.surplus(page) <= len(check.kills)


def test_only_the_owner_may_look_at_what_workers_write(service: Program):
    kept = service.out.parent / "var/workers"
    written = [(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (kept, *kept.rglob("*"))]

    assert {mode for is_directory, mode in written if is_directory} == {0o700}
    assert {mode for is_directory, mode in written if not is_directory} == {0o600}


def test_workers_that_are_recycled_take_nothing_with_them(programs: Programs):
    service = served(programs, "--limit-max-requests", "120")
    check, first = ConsistencyCheck(service, pause=0.01), {worker.pid for worker in workers(service)}

    for _ in range(12):  # until one has been recycled, however busy the machine is
        check.run(2, None, interval=0.5)
        if first != {worker.pid for worker in workers(service)}:
            break

    page = eventually(check.counted)
    assert check.decreased == []
    assert first != {worker.pid for worker in workers(service)}
    assert check.missing(page) == 0
    # A connection that was kept open may end with its worker, after the request was counted and before it was answered.
    assert check.surplus(page) <= 20


def test_a_service_that_is_started_again_begins_at_zero_and_its_page_is_that_of_all_in_both_vocabularies(
    programs: Programs,
):
    first = served(programs, METRICS_NAMES="otel")
    for _ in range(20):
        first.get("/health")
    pages = [first.get("/metrics").text for _ in range(4)]
    first.tell(signal.SIGTERM)
    first.exit_code(30)

    again = served(programs)

    name = r'^http_server_request_duration_seconds_count\{[^}]*http_route="/health"[^}]*\} (\d+)'
    assert {tuple(re.findall(name, page, re.MULTILINE)) for page in pages} == {("20",)}
    page = page_of_all(again)
    assert HEALTH not in ConsistencyCheck(again).counted()
    assert len(re.findall(r"^target_info\{", page, re.MULTILINE)) == 1
    assert len(re.findall(r"^app_info\{", page, re.MULTILINE)) == 1
    assert len(list((programs.home / "var/workers").iterdir())) == 1


def test_one_worker_alone_writes_nothing(programs: Programs):
    service = programs.uvicorn("service.main:app", SCHEDULER="false")
    service.wait_for("/readyz", within=60)

    page = service.get("/metrics").text

    assert "http_requests_total{" in page
    assert "telemetry_worker" not in page
    assert not (programs.home / "var/workers").exists()
