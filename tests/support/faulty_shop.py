"""A shop of the sandbox whose calls fail: the service with its database, a clerk who answers reviews, and what must be true in the end."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

import httpx
from sqlalchemy.engine import Engine

from service.database.tables import OrderRow
from tests.support import fault_accounts as accounts
from tests.support import reconciliation
from tests.support.processes import Program, Programs
from tests.support.sandboxes import StartedSandbox

FAULTS: Final = "429=0.04,5xx=0.04,timeout=0.04,cut=0.04,malformed=0.04,hold=2"
"""A fifth of all calls."""
OPS: Final = "the-operators-own"
SETTLED: Final = 200.0


@dataclass(frozen=True)
class Place:
    """Where a service is at home: its programs, its variables and its database, and the world around it."""

    programs: Programs
    engine: Engine
    world: StartedSandbox
    variables: dict[str, str]

    @classmethod
    def at(cls, programs: Programs, home: Path, engine: Engine, world: StartedSandbox) -> "Place":
        at_home = {"DATABASE_URL": str(engine.url), "DATA_DIR": str(home), "LOG_DIR": str(home / "log")}
        variables = {"SANDBOX": "true", "SANDBOX_PORT": str(world.program.port), "OPS_TOKEN": OPS, **at_home}
        return cls(programs, engine, world, variables)

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

    def sources(self, service: Program) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = service.get("/sources", Authorization=f"Bearer {OPS}").json()["sources"]
        return found

    def orders(self) -> int:
        return reconciliation.count(self.engine, OrderRow)


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

    def outcomes(self) -> Counter[int]:
        return Counter(status for statuses in self.statuses.values() for status in statuses.values())


def text_for(review_id: str) -> str:
    return f"Спасибо за отзыв {review_id[:8]}. Приходите ещё!"


def assert_paid_once(place: Place) -> None:
    """OpenAI was paid for each draft once, and besides for the answers that a fault took away."""
    calls = place.world.calls()
    assert accounts.paid(calls) == accounts.paid_drafts(place.engine) + accounts.lost_answers(calls)
    assert accounts.drafted_twice(place.engine) == []
    assert accounts.drafts(place.engine)["broken_json",] == accounts.unreadable(calls)["openai",]


def figures(place: Place, clerk: "Clerk") -> str:
    calls = place.world.calls()
    messages = place.world.expected_state("telegram", "messages")
    lines = {
        "faults": dict(sorted(accounts.faults(calls).items())),
        "paid": f"{accounts.paid(calls)}, of which {accounts.lost_answers(calls)} were lost on the way",
        "drafts": dict(accounts.drafts(place.engine)),
        "runs": dict(sorted(accounts.runs(place.engine).items())),
        "sources that failed": sorted(accounts.failed_sources(place.engine)),
        "answers": dict(clerk.outcomes()),
        "failures in a row": list(accounts.streaks(place.engine, 1)),
        "messages": "".join(f"\n  {message['text'][:150]!r}" for message in messages),
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


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
