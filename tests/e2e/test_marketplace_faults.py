"""Faults: whatever fails meanwhile, in the end each review and order is kept once, and as it is.

A fifth of all calls is refused, fails, hangs, is cut off or is answered with nonsense, for FAULT_SECONDS, which is 60.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from service.database.tables import InvalidRow
from tests.support import fault_accounts as accounts
from tests.support import reconciliation
from tests.support.faulty_shop import (
    FAULTS,
    SETTLED,
    Clerk,
    Place,
    assert_all_is_kept,
    assert_answered_once_at_the_most,
    assert_paid_once,
    figures,
)
from tests.support.processes import Programs, eventually
from tests.support.sandboxes import StartedSandbox

FAULT_SECONDS: Final = float(os.environ.get("FAULT_SECONDS", "60"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(FAULT_SECONDS + 1_200)]

BY_HAND: Final = ("sync_wb_reviews", "sync_ozon_orders", "sync_ozon_reviews")
SYNCS: Final = (
    "sync_wb_orders",
    *BY_HAND,
)  # Wildberries gives its orders once a minute, so these come by schedule alone


Settle = Callable[[StartedSandbox], Place]


def test_after_a_time_of_faults_each_review_and_order_is_kept_once_and_as_it_is(programs: Programs, settle: Settle):
    sizes = {
        "wb_reviews": 2_500,
        "wb_orders": 2_400,
        "wb_orders_page": 1_000,
        "ozon_reviews": 450,
        "ozon_postings": 700,
    }
    paces = {"wb_reviews_every": 3, "wb_orders_every": 1, "ozon_reviews_every": 3, "ozon_postings_every": 2}
    place = settle(StartedSandbox.start(programs, FAULTS, **sizes, **paces, openai_latency=0.02))
    service = programs.serve(**place.variables)
    service.wait_for("/readyz", within=60)
    clerk, runs = Clerk(service), Counter[bool]()

    ends = time.monotonic() + FAULT_SECONDS
    while time.monotonic() < ends:
        for name in BY_HAND:
            runs[place.succeeds(name, within=60)] += 1
            clerk.work("wb")
            clerk.work("ozon")
            assert accounts.unseen_sources(place.engine, place.sources(service)) == []
    place.world.set_faults()
    place.world.freeze()
    for name in SYNCS * 2:  # the first may go on with a reading that was cut off, whose pages until there are older
        eventually(lambda name=name: place.succeeds(name), SETTLED)  # type: ignore[misc]  # not while another run goes on

    assert service.process.poll() is None
    service.tell(signal.SIGINT)
    service.exit_code()
    print(f"\nIn {FAULT_SECONDS:.0f} s: runs by hand {runs}.\n{figures(place, clerk)}")  # noqa: T201  # to read
    assert_paid_once(place)
    faults = accounts.faults(place.world.calls())
    assert {kind for _service, kind in faults} >= {"too_many", "cut", "timeout"}
    assert faults.total() >= 20
    assert reconciliation.count(place.engine, InvalidRow) == 0
    assert_all_is_kept(place)
    assert_answered_once_at_the_most(clerk, place.world)


def test_a_sync_that_is_killed_in_the_middle_and_once_more_has_each_order_once_in_the_end(
    programs: Programs, settle: Settle
):
    place = settle(StartedSandbox.start(programs, wb_orders=20_000, wb_orders_page=7_000))
    assert place.succeeds("check_resources")  # which makes the tables
    moments = sorted(random.sample(range(1, 20_000), 2))

    for moment in moments:
        kill_at(place, moment)
    place.world.freeze()
    eventually(lambda: place.succeeds("sync_wb_orders"), SETTLED)

    assert (
        reconciliation.differences(reconciliation.wb_orders(place.engine), reconciliation.wb_orders_in(place.world))
        == []
    ), moments


def kill_at(place: Place, orders: int) -> None:
    """In the middle: as soon as so many are kept. A run does not begin while one that was killed counts as going on."""

    def killed() -> bool:
        program = place.job("sync_wb_orders")
        while program.process.poll() is None:
            if place.orders() >= orders:
                program.kill()
                return program.process.returncode == -9
            time.sleep(0.002)
        time.sleep(5)  # while the killed one counts as going on, a start is in vain
        return False

    assert eventually(killed, SETTLED)
