"""One worker and four, for longer: killed and hung, before two scrapers. Two are those of tests/integration."""

import os
from typing import Final

import pytest

from tests.support.processes import Programs, eventually
from tests.support.worker_consistency import ConsistencyCheck, kill_or_hang, workers

pytestmark = pytest.mark.e2e
SECONDS: Final = float(os.environ.get("TRUTH_SECONDS", "20"))


@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.parametrize("number", [1, 4])
def test_no_counter_falls_and_in_the_end_the_page_is_what_the_client_got(programs: Programs, number, capsys):
    service = programs.uvicorn("service.main:app", "--workers", str(number), SCHEDULER="false")
    service.wait_for("/readyz", within=120)
    eventually(lambda: number == 1 or len(workers(service)) == number)
    check = ConsistencyCheck(service)

    check.run(SECONDS, kill_or_hang if number > 1 else None, interval=2.0)

    page = eventually(check.counted)
    missing, surplus = check.missing(page), check.surplus(page)
    with capsys.disabled():
        scrapes = sum(scraper.scrapes for scraper in check.scrapers)
        print(  # noqa: T201  # figures for whoever runs it
            f"\n{number} workers: {sum(check.client.answered.values())} answers, {scrapes} scrapes, {len(check.kills)} kills, "
            f"{len(check.decreased)} fell, {missing} missing, {surplus} counted and not received"
        )
    assert check.decreased == []
    assert missing == 0
    assert surplus <= 2 * len(check.kills)
