"""A week of a shop, in an hour, by a clock that is moved by hand: `python -m tests.soak.week [--reviews 5000] [--orders 20000]`.

The jobs of the service run as scheduled against the sandbox, whose world moves by the same clock. A seller publishes the drafts.
In the end OpenAI has been asked once for each review that needed a draft, and what is kept is what there is.
"""

import argparse
import asyncio
import logging
import math
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

import uvicorn
from opentelemetry.metrics import NoOpMeterProvider
from sqlalchemy import select
from sqlalchemy.orm import Session

import service.database.clock
from service.advice.outcomes import DRAFTED
from service.clients import Clients
from service.database.tables import AdviceRow, Base, ReviewRow
from service.instruments import ServiceInstruments
from service.integrations.http.rate_limiter import RateLimiter
from service.jobs.context import JobContext
from service.jobs.schedule import JOBS
from service.reviews.publishing import Publisher
from service.sandbox.fake_service import Environment
from service.sandbox.faults import Faults
from service.sandbox.journal import Journal
from service.sandbox.openai.fake import OpenAIFake
from service.sandbox.options import Options
from service.sandbox.ozon.fake import OzonFake
from service.sandbox.ozon.review_store import ReviewStore as OzonReviews
from service.sandbox.server import Sandbox
from service.sandbox.simulation import Simulation
from service.sandbox.wildberries.fake import WildberriesFake
from service.sandbox.wildberries.review_model import ReviewStore as WildberriesReviews
from service.settings import Settings
from telemetry.database import create_engine
from telemetry.jobs import JobRunRepository
from tests.soak.figures import Table
from tests.support import reconciliation
from tests.support.sandboxes import SandboxClient

EPOCH: Final = datetime(2026, 11, 2, tzinfo=UTC)
STEP: Final = timedelta(minutes=5)
_CADENCES: Final = {
    "sync_wb_reviews": 3,
    "sync_ozon_reviews": 3,
    "sync_wb_orders": 6,
    "sync_ozon_orders": 6,
    "generate_advice": 1,
}  # in steps, as in the schedule
_STEPS_A_DAY: Final = timedelta(days=1) // STEP
_LAST_ROUNDS: Final = 4
_log = logging.getLogger(__name__)


class HandClock:
    """Time passes where the service waits, and from step to step."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.world_ends: datetime | None = None

    def __call__(self) -> datetime:
        return self.now

    def world(self) -> datetime:
        """The time of the marketplaces, where nothing happens after `world_ends`."""
        return self.now if self.world_ends is None else min(self.now, self.world_ends)

    def seconds(self) -> float:
        return self.now.timestamp()

    def datetime(self) -> type[datetime]:
        """In place of `datetime` in the module of the service's clock."""

        class ByHand(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # always UTC
                return self.now

        return ByHand

    def wait(self, seconds: float, _reason: str = "") -> None:
        self.now += timedelta(seconds=seconds)

    def for_service(self, _service: str) -> Callable[[float, str], None]:
        """As `InstrumentedSleep` does."""
        return self.wait

    def until_answered(self) -> "HandClock":
        return self


class BilledOpenAI(OpenAIFake):
    """Counts the answers that are to be paid."""

    billed = 0

    def _remember(self, call: Any) -> None:
        self.billed += 1
        super()._remember(call)


@dataclass
class Shop:
    """The world of a seller with so many reviews and orders a day; two thirds of them at Wildberries."""

    clock: HandClock
    sandbox: Sandbox
    openai: BilledOpenAI

    @classmethod
    def opened(cls, reviews: int, orders: int) -> "Shop":
        clock, day = HandClock(), timedelta(days=1)
        options = Options(
            wb_reviews=0,
            wb_reviews_every=day / (reviews * 2 / 3),
            wb_orders=0,
            wb_orders_every=day / (orders * 2 / 3),
            ozon_reviews=0,
            ozon_reviews_every=day / (reviews / 3),
            ozon_postings=0,
            ozon_postings_every=day / (orders / 3),
            openai_latency=0.0,
        )
        journal = Journal()
        environment = Environment(Simulation(1, journal.start(1, EPOCH), clock.world), journal, options)
        openai = BilledOpenAI(environment, clock.seconds)
        fakes = {
            "wb": WildberriesFake(environment, clock.seconds),
            "ozon": OzonFake(environment, clock.seconds),
            "openai": openai,
        }
        return cls(clock, Sandbox(environment, fakes, Faults()), openai)

    @contextmanager
    def served(self) -> Generator[SandboxClient]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            config = uvicorn.Config(self.sandbox.app(), log_config=None, access_log=False, lifespan="off")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
            thread.start()
            try:
                yield SandboxClient.at(listening.getsockname()[1])
            finally:
                server.should_exit = True
                thread.join(30)


@dataclass
class Week:
    """The service's jobs, the seller, and what they have done."""

    shop: Shop
    context: JobContext
    failures: list[str] = field(default_factory=list)
    published: Counter[str] = field(default_factory=Counter)
    runs: int = 0

    def live(self, days: int) -> None:
        for step in range(days * _STEPS_A_DAY + 1):
            self.shop.clock.now = max(self.shop.clock.now, EPOCH + step * STEP)
            for name in [name for name, every in _CADENCES.items() if step % every == 0]:
                self._run(name)
            self._publish()
            if step % 288 == 0:
                _log.info(
                    "day %d: %d billed, %d published", step // 288, self.shop.openai.billed, self.published.total()
                )
        self._read_the_rest()

    def _read_the_rest(self) -> None:
        """Read what has happened while the last jobs waited for their rate limits."""
        self.shop.clock.world_ends = self.shop.clock.now
        for _ in range(_LAST_ROUNDS):
            self.shop.clock.now += timedelta(minutes=30)
            for name in _CADENCES:
                self._run(name)
            self._publish()

    def _run(self, name: str) -> None:
        [job] = [job for job in JOBS if job.name == name]
        self.runs += 1
        try:
            job.run(self.context.for_run({}))
        except Exception as error:
            self.failures.append(f"{self.shop.clock.now:%d %H:%M} {name}: {error!r:.200}")

    def _publish(self) -> None:
        """The seller publishes each draft at once, as `POST …/answer` does."""
        for row, text in self._drafted():
            marketplace = self.context.clients.reviews(row.marketplace)
            try:
                state = (
                    Publisher(self.context.engine, marketplace, self.shop.clock, self.shop.clock.wait)
                    .publish(row, text)
                    .state
                )
            except Exception as error:
                state = type(error).__name__
            self.published[state] += 1

    def _drafted(self) -> list[tuple[ReviewRow, str]]:
        unpublished = (
            ReviewRow.answered.is_(False),
            ReviewRow.gone_at.is_(None),
            ReviewRow.answer_claimed_at.is_(None),
        )
        drafts = select(ReviewRow, AdviceRow.text).join(AdviceRow, AdviceRow.review_id == ReviewRow.id)
        with Session(self.context.engine, expire_on_commit=False) as session:
            found = session.execute(drafts.where(AdviceRow.outcome == DRAFTED, *unpublished)).all()
        return [(row, text) for row, text in found]


def needed_drafts(environment: Environment) -> int:
    """The reviews that no employee had answered or processed when they were read first, which is at the next quarter of an hour."""
    wildberries, ozon = WildberriesReviews(environment).all(), OzonReviews(environment).all()
    waiting_wb = [
        each
        for each in wildberries
        if (each.has_text or each.photos) and not _is_handled((each.human_at, each.processed_at), each.created)
    ]
    waiting_ozon = [
        each
        for each in ozon
        if (handling := each.handling_at(_read_at(each.published_at))) is None or handling.status != "PROCESSED"
    ]
    return len(waiting_wb) + len(waiting_ozon)


def _is_handled(moments: tuple[datetime | None, ...], created: datetime) -> bool:
    return any(moment is not None and moment <= _read_at(created) for moment in moments)


def _read_at(created: datetime) -> datetime:
    quarter = timedelta(minutes=15)
    return EPOCH + quarter * -((EPOCH - created) // quarter)


def judge(week: Week, sandbox: SandboxClient) -> Table:
    engine, table, billed = week.context.engine, Table(), week.shop.openai.billed
    needed = needed_drafts(week.shop.sandbox.environment)
    table.say("runs", week.runs)
    table.at_most("runs that failed", len(week.failures), 0, week.failures)
    table.say("reviews that needed a draft", needed)
    table.at_least("answers that OpenAI was paid for", billed, int(needed * 0.99))
    table.at_most("answers that OpenAI was paid for", billed, math.ceil(needed * 1.01))
    table.say("published", dict(week.published))
    reviews = reconciliation.wb_reviews(engine)
    both = {
        "reviews of Wildberries": (reviews, reconciliation.wb_reviews_in(sandbox)),
        "orders of Wildberries": (reconciliation.wb_orders(engine), reconciliation.wb_orders_in(sandbox)),
        "orders of Ozon": (reconciliation.ozon_orders(engine), reconciliation.ozon_orders_in(sandbox)),
        "reviews of Ozon": (reconciliation.ozon_reviews(engine), reconciliation.ozon_reviews_in(sandbox)),
    }
    for what, (ours, theirs) in both.items():
        table.say(what, len(theirs))
        wrong = reconciliation.differences(ours, theirs)
        table.at_most(f"{what} that are kept otherwise", len(wrong), 0, wrong)
    return table


def live(home: Path, reviews: int, orders: int, days: int = 7) -> Table:
    """`home` is an empty directory; `reviews` and `orders` are those of a day."""
    shop, began = Shop.opened(reviews, orders), time.monotonic()
    engine = create_engine(f"sqlite:///{home / 'shop.db'}")
    Base.metadata.create_all(engine)
    with shop.served() as sandbox, mock.patch.object(service.database.clock, "datetime", shop.clock.datetime()):
        values = {"sandbox": True, "sandbox_port": int(sandbox.url.rpartition(":")[2]), "database_url": str(engine.url)}
        settings = Settings.model_validate({**values, "data_dir": home, "log_dir": home / "log"})
        instruments = ServiceInstruments.create(NoOpMeterProvider().get_meter("week"))
        clients = Clients(settings, engine, instruments, shop.clock)  # type: ignore[arg-type]  # it sleeps by hand
        clients._rate_limiter = RateLimiter(engine, shop.clock.seconds)
        week = Week(shop, JobContext(settings, engine, JobRunRepository(engine), clients, instruments))
        try:
            week.live(days)
            table = judge(week, sandbox)
        finally:
            clients.close()
            engine.dispose()
    table.say("minutes that it took", (time.monotonic() - began) / 60)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.week", description=__doc__)
    parser.add_argument("--reviews", type=int, default=5_000, help="a day")
    parser.add_argument("--orders", type=int, default=20_000, help="a day")
    parser.add_argument("--days", type=int, default=7)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="week-") as home:
        table = live(Path(home), arguments.reviews, arguments.orders, arguments.days)
    sys.stdout.write(f"{table}\n{'Everything holds.' if table.holds else 'Not everything holds.'}\n")
    return 0 if table.holds else 1


if __name__ == "__main__":
    sys.exit(main())
