"""Several workers: the page is the whole service's, whichever of them answers, and whatever becomes of them."""

import os
import re
import signal
import time

from tests.programs import Program, Programs, eventually
from tests.truth import Truth, kill_one, workers


def served(programs: Programs, number: int, *arguments: str, **environment: str) -> Program:
    service = programs.uvicorn(
        "service.main:app", "--workers", str(number), *arguments, **({"SCHEDULER": "false"} | environment)
    )
    service.wait_for("/readyz", within=60)
    eventually(lambda: len(workers(service)) == number and page_of_all(service, number))
    return service


def page_of_all(service: Program, number: int) -> str:
    """The page, as soon as it is that of so many workers."""
    page = service.get("/metrics").text
    return page if len(re.findall(r"^telemetry_worker_snapshot_age_seconds\{", page, re.MULTILINE)) == number else ""


def test_two_workers_of_which_some_are_killed_show_what_the_client_got_and_no_counter_falls(programs: Programs):
    service = served(programs, 2)
    truth = Truth(service)

    truth.watch(9, kill_one, every=3.0)

    got, page = truth.client.answered, eventually(truth.page)
    missing = {key: got[key] - page.get(key, 0) for key in got if got[key] != page.get(key, 0)}
    assert truth.fell == []
    assert len(truth.kills) >= 2
    assert min(scraper.scrapes for scraper in truth.scrapers) > 5
    # One that was answered to nobody, since its worker was killed, may be counted; what is missing is of the last second.
    assert sum(number for number in missing.values() if number > 0) <= truth.at_risk
    assert sum(-number for number in missing.values() if number < 0) <= len(truth.kills)


def test_workers_that_are_recycled_take_nothing_with_them(programs: Programs):
    service = served(programs, 2, "--limit-max-requests", "25")
    truth = Truth(service)

    for _ in range(6):  # until some have been recycled, however busy the machine is
        truth.watch(3, None, every=1.0)
        if sum(truth.client.answered.values()) > 80:
            break

    page = eventually(truth.page)
    assert truth.fell == []
    # A connection that was kept open may end with its worker, after the request was counted and before it was answered.
    assert all(page[key] >= number for key, number in truth.client.answered.items())
    assert sum(page.values()) - sum(truth.client.answered.values()) <= 20
    assert sum(truth.client.answered.values()) > 60  # more than two workers answer before they are replaced


def test_a_worker_that_hangs_delays_a_page_by_its_deadline_and_its_numbers_stand_in(programs: Programs):
    service = served(programs, 2)
    for _ in range(20):
        service.get("/health")
    before = Truth(service).page()[("/health", "200")]
    hung = workers(service)[0]

    os.kill(hung.pid, signal.SIGSTOP)
    pages = []
    try:
        for _ in range(3):  # asked of whoever accepts first; the hung one accepts none
            began = time.monotonic()
            pages.append((Truth(service).page()[("/health", "200")], time.monotonic() - began))
    finally:
        os.kill(hung.pid, signal.SIGCONT)

    assert [number for number, _ in pages] == [before] * 3
    assert all(0.25 < took < 3 for _, took in pages)


def test_a_service_that_is_started_again_begins_at_zero_and_each_worker_is_one_of_it(programs: Programs):
    first = served(programs, 2)
    for _ in range(10):
        first.get("/health")
    first.tell(signal.SIGTERM)
    first.exit_code(30)

    again = served(programs, 2)

    page = eventually(lambda: page_of_all(again, 2))
    assert ("/health", "200") not in Truth(again).page()
    assert len(re.findall(r"^target_info\{", page, re.MULTILINE)) == 1
    assert len(re.findall(r"^app_info\{", page, re.MULTILINE)) == 1
    assert len(list((programs.home / "var/workers").iterdir())) == 1


def test_the_plain_translation_is_the_whole_services_too(programs: Programs):
    service = served(programs, 2, METRICS_NAMES="otel")
    for _ in range(20):
        service.get("/health")

    pages = [service.get("/metrics").text for _ in range(6)]

    name = r'^http_server_request_duration_seconds_count\{[^}]*http_route="/health"[^}]*\} (\d+)'
    assert {tuple(re.findall(name, page, re.MULTILINE)) for page in pages} == {("20",)}
