"""What went wrong is told: each call, run, draft and answer that failed is in /metrics, in GET /sources and on the phone.

A fifth of all calls fails for FAULT_SECONDS, which is 30; then all calls do, until a sync has failed.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from service.database.tables import InvalidRow
from tests.support import fault_accounts as accounts
from tests.support import reconciliation
from tests.support.faulty_shop import (
    FAULTS,
    OPS,
    SETTLED,
    Clerk,
    Place,
    assert_all_is_kept,
    assert_answered_once_at_the_most,
    assert_paid_once,
    figures,
)
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxes import StartedSandbox

FAULT_SECONDS: Final = float(os.environ.get("FAULT_SECONDS", "30"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(FAULT_SECONDS + 2_400)]

SYNCS: Final = ("sync_wb_orders", "sync_wb_reviews", "sync_ozon_orders", "sync_ozon_reviews")
LONG: Final = 600.0  # for several runs of the schedule
Settle = Callable[[StartedSandbox], Place]


def test_all_that_went_wrong_is_in_metrics_in_sources_and_on_the_phone(programs: Programs, settle: Settle):
    sizes = {"wb_reviews": 400, "wb_orders": 300, "ozon_reviews": 150, "ozon_postings": 200}
    paces = {"wb_reviews_every": 3, "wb_orders_every": 2, "ozon_reviews_every": 5, "ozon_postings_every": 3}
    place = settle(StartedSandbox.start(programs, FAULTS, **sizes, **paces, openai_latency=0.02))
    service = programs.serve(**place.variables, ALERT_THRESHOLD_JOB_FAILURES="1")
    service.wait_for("/readyz", within=60)
    clerk, ends = Clerk(service), time.monotonic() + FAULT_SECONDS

    while time.monotonic() < ends:
        clerk.work("wb")
        clerk.work("ozon")
        assert accounts.unseen_sources(place.engine, place.sources(service)) == []
        time.sleep(2)
    place.world.set_faults(server_error=1.0)
    eventually(lambda: {name for name, _ in accounts.streaks(place.engine, 1)} & {*SYNCS}, LONG)
    assert accounts.unseen_sources(place.engine, place.sources(service)) == []
    place.world.set_faults()
    place.world.freeze()
    frozen_at = datetime.now(UTC)
    eventually(lambda: min(accounts.successes(place.engine, SYNCS, frozen_at).values()) >= 2, LONG)

    print(f"\nIn {FAULT_SECONDS:.0f} s:\n{figures(place, clerk)}")  # noqa: T201  # to read
    assert_paid_once(place)
    assert_all_is_kept(place)
    eventually(lambda: assert_phone_says_so(place, service), SETTLED)
    eventually(lambda: assert_metrics_say_so(place, service, clerk), LONG)
    service.tell(signal.SIGINT)
    service.exit_code()
    assert reconciliation.count(place.engine, InvalidRow) == 0
    assert_answered_once_at_the_most(clerk, place.world)


def asked(service: Program, path: str) -> str:
    return service.get(path, Authorization=f"Bearer {OPS}").raise_for_status().text


def assert_metrics_say_so(place: Place, service: Program, clerk: Clerk) -> bool:
    """Each call with what became of it, each run, each draft, and each answer. A job that runs meanwhile is waited for."""
    page, calls = asked(service, "/metrics"), place.world.calls()
    unreadable = accounts.unreadable(calls)
    both = {
        "unreadable": (
            accounts.series(page, "external_api_unreadable_total", "service"),
            Counter({(name,): unreadable[name,] for name in ("wb", "ozon")}),
        ),
        "runs": (accounts.series(page, "scheduler_jobs_total", "job_name", "status"), accounts.runs(place.engine)),
        "drafts": (accounts.stored_drafts(page), accounts.drafts(place.engine)),
        "answers": (accounts.answered(page), Counter({(str(key),): n for key, n in clerk.outcomes().items()})),
        "rows": (accounts.series(page, "invalid_rows_total", "source"), Counter()),
    }
    wrong = {name: found for name, numbers in both.items() if (found := accounts.differing(*numbers))}
    counted = accounts.series(page, "external_api_requests_total", "service", "status")
    assert accounts.unaccounted(counted, calls) == {}
    assert str(wrong) == "{}"
    return True


def assert_phone_says_so(place: Place, service: Program) -> bool:
    """Each job that failed, and every alert; each time that a job failed is an alert, or a repeat of one."""
    streaks = list(accounts.streaks(place.engine, 1))
    alerts: list[dict[str, Any]] = service.get("/alerts?limit=500", Authorization=f"Bearer {OPS}").json()["alerts"]
    assert accounts.untold(streaks, place.world.expected_state("telegram", "messages")) == set()
    assert accounts.unsent(alerts) == []
    assert accounts.uncounted(streaks, alerts) == {}
    return True
