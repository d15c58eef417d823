"""Faults: whatever fails meanwhile, in the end each review and order is kept once, and as it is.

A fifth of all calls is refused, fails, hangs, is cut off or is answered with nonsense, for FAULT_SECONDS, which is 60.
"""

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

import httpx
import pytest
from sqlalchemy.engine import Engine

from service.database.tables import InvalidRow, OrderRow
from telemetry.database import create_engine
from tests.support import reconciliation
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxes import StartedSandbox

FAULT_SECONDS: Final = float(os.environ.get("FAULT_SECONDS", "60"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(FAULT_SECONDS + 400)]

FAULTS: Final = "429=0.04,5xx=0.04,timeout=0.04,cut=0.04,malformed=0.04,hold=2"
BY_HAND: Final = ("sync_wb_reviews", "sync_ozon_orders", "sync_ozon_reviews")
SYNCS: Final = (
    "sync_wb_orders",
    *BY_HAND,
)  # Wildberries gives its orders once a minute, so these come by schedule alone
OPS: Final = "the-operators-own"
SETTLED: Final = 200.0


@dataclass(frozen=True)
class Place:
    """Where a service is at home: its programs, its variables and its database, and the world around it."""

    programs: Programs
    engine: Engine
    world: StartedSandbox
    variables: dict[str, str]

    def job(self, name: str) -> Program:
        return self.programs.start("-m", "service", "run-job", name, **self.variables)

    def succeeds(self, name: str, within: float = SETTLED) -> bool:
        """A run to its end; one that takes longer is killed."""
        program = self.job(name)
        try:
            return program.exit_code(within) == 0
        except TimeoutExpired:
            program.kill()
            return False

    def orders(self) -> int:
        return reconciliation.count(self.engine, OrderRow)


Settle = Callable[[StartedSandbox], Place]


@pytest.fixture
def settle(programs: Programs, tmp_path: Path) -> Iterator[Settle]:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")

    def settle(world: StartedSandbox) -> Place:
        at_home = {"DATABASE_URL": str(engine.url), "DATA_DIR": str(tmp_path), "LOG_DIR": str(tmp_path / "log")}
        variables = {"SANDBOX": "true", "SANDBOX_PORT": str(world.program.port), "OPS_TOKEN": OPS, **at_home}
        return Place(programs, engine, world, variables)

    yield settle
    engine.dispose()
    programs.kill()


@dataclass
class Clerk:
    """Answers reviews that wait, and remembers by the review's own id with what status that ended."""

    service: Program
    statuses: dict[str, dict[str, int]] = field(default_factory=lambda: {"wb": {}, "ozon": {}})

    def work(self, marketplace: str) -> None:
        asked = f"/api/v1/reviews?answered=false&limit=100&marketplace={marketplace}"
        waiting = [row for row in self.service.get(asked).json()["reviews"] if row["gone_at"] is None]
        done = self.statuses[marketplace]
        for review in [row for row in waiting if row["external_id"] not in done][:2]:
            url = f"{self.service.url}/api/v1/reviews/{review['id']}/answer"
            body, headers = {"text": text_for(review["external_id"])}, {"Authorization": f"Bearer {OPS}"}
            answer = httpx.post(url, json=body, headers=headers, timeout=120, trust_env=False)
            done[review["external_id"]] = answer.status_code


def text_for(review_id: str) -> str:
    return f"Спасибо за отзыв {review_id[:8]}. Приходите ещё!"


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
    refused = refusals(service)
    place.world.set_faults()
    place.world.freeze()
    for name in SYNCS * 2:  # the first may go on with a reading that was cut off, whose pages until there are older
        eventually(lambda name=name: place.succeeds(name), SETTLED)  # type: ignore[misc]  # not while another run goes on

    answers = Counter(status for statuses in clerk.statuses.values() for status in statuses.values())
    print(f"\nIn {FAULT_SECONDS:.0f} s: runs by hand {runs}, answers {answers}, calls that failed {refused}.")  # noqa: T201  # to read
    assert service.process.poll() is None
    service.tell(signal.SIGINT)
    service.exit_code()
    assert refused.keys() >= {"429", "error"}
    assert refused.total() >= 20
    assert reconciliation.count(place.engine, InvalidRow) == 0
    assert_all_is_kept(place)
    assert_answered_once_at_the_most(clerk, place.world)


def test_a_sync_that_is_killed_in_the_middle_again_and_again_has_each_order_once_in_the_end(
    programs: Programs, settle: Settle
):
    place = settle(StartedSandbox.start(programs, wb_orders=20_000, wb_orders_page=7_000))
    assert place.succeeds("check_resources")  # which makes the tables
    moments = sorted(random.sample(range(1, 20_000), 3))

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
        return False

    assert eventually(killed, SETTLED)


def refusals(service: Program) -> Counter[str]:
    """What calls of the service itself ended with, other than well."""
    page = service.get("/metrics", Authorization=f"Bearer {OPS}").text
    found = re.findall(r'^external_api_requests_total{.*status="(\w+)"} (\d+)', page, re.MULTILINE)
    failed: Counter[str] = Counter()
    for status, number in found:
        failed[status] += int(number) * (not status.startswith("2"))
    return +failed


def assert_all_is_kept(place: Place) -> None:
    engine, world = place.engine, place.world
    reviews = reconciliation.wb_reviews(engine)
    assert reconciliation.differences(reviews, reconciliation.wb_reviews_in(world)) == []
    assert reconciliation.differences(reconciliation.ozon_reviews(engine), reconciliation.ozon_reviews_in(world)) == []
    assert reconciliation.differences(reconciliation.wb_orders(engine), reconciliation.wb_orders_in(world)) == []
    assert reconciliation.differences(reconciliation.ozon_orders(engine), reconciliation.ozon_orders_in(world)) == []


def assert_answered_once_at_the_most(clerk: Clerk, world: StartedSandbox) -> None:
    """What was said to have been published was; what may have been, was not published twice."""
    texts = {row["id"]: row["answer_text"] for row in world.expected_state("wb", "reviews")}
    for review_id, status in clerk.statuses["wb"].items():
        assert status in {200, 202, 409, 502, 503, 504}, review_id
        assert status != 200 or texts[review_id] == text_for(review_id)
    for review_id, status in clerk.statuses["ozon"].items():
        comments = world.ozon("/v1/review/comment/list", {"review_id": review_id, "limit": 100})["comments"]
        ours = [comment for comment in comments if comment["text"] == text_for(review_id)]
        assert status in {200, 202, 409, 502, 503, 504}, review_id
        assert len(ours) <= 1
        assert status != 200 or len(ours) == 1
        time.sleep(0.6)  # Ozon's limit is two a second
