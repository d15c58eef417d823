"""Several workers, for longer: one, two and four of them, killed and hung, before two scrapers."""

import os
from typing import Final

import pytest

from tests.support.processes import Programs, eventually
from tests.support.worker_consistency import Truth, kill_or_hang, workers

pytestmark = pytest.mark.e2e
SECONDS: Final = float(os.environ.get("TRUTH_SECONDS", "30"))


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("number", [1, 2, 4])
def test_no_counter_falls_and_in_the_end_the_page_is_what_the_client_got(programs: Programs, number, capsys):
    service = programs.uvicorn("service.main:app", "--workers", str(number), SCHEDULER="false")
    service.wait_for("/readyz", within=60)
    eventually(lambda: number == 1 or len(workers(service)) == number)
    truth = Truth(service)

    truth.watch(SECONDS, kill_or_hang if number > 1 else None, every=2.0)

    page = eventually(truth.page)
    missing, beyond = truth.missing(page), truth.beyond(page)
    with capsys.disabled():
        scrapes = sum(scraper.scrapes for scraper in truth.scrapers)
        print(  # noqa: T201  # figures for whoever runs it
            f"\n{number} workers: {sum(truth.client.answered.values())} answers, {scrapes} scrapes, {len(truth.kills)} kills, "
            f"{len(truth.fell)} fell, {missing} missing of {truth.at_risk} at risk, {beyond} counted and not received"
        )
    assert truth.fell == []
    assert missing <= truth.at_risk
    assert beyond <= 2 * len(truth.kills)
