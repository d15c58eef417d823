"""The sync and advice jobs against the sandbox, on a real socket, without waiting."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy import func, select

from service.advice.outcomes import DRAFTED, HELD
from service.clients import Clients
from service.database.clock import utcnow
from service.database.tables import AdviceRow, OrderRow, ReviewRow
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from service.integrations.http.errors import (
    Misconfigured,
    NotConfigured,
    SubscriptionMissing,
    Unauthorized,
    Unreachable,
)
from service.integrations.openai.errors import QuotaExhausted
from service.integrations.wildberries.credentials import WildberriesToken
from service.jobs import sync
from service.jobs.advice import generate_advice
from service.jobs.context import JobContext
from service.reviews.publishing import Publisher
from service.reviews.repository import ReviewRepository
from service.sandbox import credentials
from service.sandbox.__main__ import build
from service.sandbox.faults import Faults
from service.sandbox.journal import Journal
from service.sandbox.openai.injections import INJECTIONS
from service.sandbox.options import Options
from service.scheduler.job import Skipped
from service.settings import Settings, sandbox_values
from service.sync.freshness.credentials import known_expiries
from telemetry.database import transaction
from telemetry.metrics.families import Translator
from tests.support.fakes import FakeMarketplace, a_review, invalid_row

SMALL = {
    "wb_reviews": 9, "wb_orders": 30, "wb_limits": False, "ozon_reviews": 8, "ozon_postings": 12,
    "ozon_per_second": 1000.0, "openai_latency": 0.0,
}  # fmt: skip


class NoWaiting:
    """A wait that takes no time; why something waited is kept."""

    def __init__(self):
        self.reasons = []

    def for_service(self, service):
        return lambda _seconds, reason: self.reasons.append((service, reason))


class Calls:
    """Counts what a sandbox is asked, in front of it."""

    def __init__(self, app):
        self.app, self.paths = app, []

    async def __call__(self, scope, receive, send):
        self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@pytest.fixture
def world_of():
    """Serves small sandboxes, with these options, in a thread: gives the port, the calls, and the sandbox itself."""
    running = []

    def serve(**options):
        sandbox = build(1, Faults(), Options(**SMALL | options), Journal())
        sandbox.environment.simulation.freeze()
        calls = Calls(sandbox.app())
        server = uvicorn.Server(uvicorn.Config(calls, port=0, log_config=None, lifespan="off", ws="none"))
        listener = server.config.bind_socket()
        listener.listen()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return listener.getsockname()[1], calls, sandbox

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def context_of(sqlite_engine, reader):
    """Contexts of runs; `clients` may be ones that a test has made."""
    instruments = ServiceInstruments.create(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))
    made = []

    def make(port=None, clients=None, is_running=lambda: True, **settings):
        known = Settings(**(sandbox_values({"sandbox_port": port}) if port else {}) | settings)
        made.append(Clients(known, sqlite_engine, instruments, NoWaiting()))
        return JobContext(known, sqlite_engine, None, clients or made[-1], instruments, is_running)

    yield make
    for clients in made:
        clients.close()


def counted(reader, name):
    """The series of a metric that are not zero."""
    data = reader.get_metrics_data()
    metrics = [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics]
    [series] = [family.series for family in Translator(METRIC_MAPPINGS).translate(metrics) if family.name == name] or [
        {}
    ]
    return {labels: value for labels, value in series.items() if value}


def listed(truth):
    """The keys of what a marketplace lists: an order changes."""
    return {row.get("srid") or row.get("id") or row["posting_number"] for row in truth}


def many(engine, table, marketplace):
    with transaction(engine) as session:
        return session.scalar(select(func.count()).select_from(table).where(table.marketplace == marketplace))


@pytest.mark.parametrize(
    ("job", "marketplace", "table", "kind"),
    [
        (sync.sync_wb_reviews, "wb", ReviewRow, "reviews"),
        (sync.sync_wb_orders, "wb", OrderRow, "orders"),
        (sync.sync_ozon_reviews, "ozon", ReviewRow, "reviews"),
        (sync.sync_ozon_orders, "ozon", OrderRow, "orders"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_sync_brings_everything_in_and_says_and_counts_it(
    world_of, context_of, reader, sqlite_engine, job, marketplace, table, kind
):
    port, _, sandbox = world_of()
    context, progress = context_of(port), {}
    there = len(listed(sandbox.fakes[marketplace].expected_state(kind)))

    done = dict(job(context.for_run(progress)))
    metric = f"{kind}_processed_total"
    new = counted(reader, metric)
    again = job(context.for_run({}))

    assert there > 5
    assert many(sqlite_engine, table, marketplace) == there
    assert done == progress
    assert (done["new"], done["invalid"]) == (there, 0)
    assert new[f'marketplace="{marketplace}",status="new"'] == there
    assert all(labels.startswith(f'marketplace="{marketplace}"') for labels in new)
    assert (again["new"], again["changed"]) == (0, 0)


def test_each_review_that_waits_gets_a_draft_that_is_counted_and_paid_for(world_of, context_of, reader, sqlite_engine):
    port, _, _ = world_of()
    context, progress = context_of(port), {}
    sync.sync_wb_reviews(context.for_run({}))
    sync.sync_ozon_reviews(context.for_run({}))
    with transaction(sqlite_engine) as session:
        waiting = session.scalar(select(func.count()).where(ReviewRow.advice_due_at.is_not(None)))

    done = generate_advice(context.for_run(progress))

    with transaction(sqlite_engine) as session:
        drafts = session.scalars(select(AdviceRow)).all()
    assert waiting > 3
    assert (done[DRAFTED], done["waiting"], progress[DRAFTED]) == (waiting, 0, waiting)
    assert all(draft.text for draft in drafts)
    assert len(drafts) == waiting == sum(counted(reader, "advice_generated_total").values())
    [spent] = counted(reader, "openai_cost_usd_total").values()
    assert spent == pytest.approx(done["cost_usd"])
    assert spent == pytest.approx(float(sum(draft.cost_usd for draft in drafts)), abs=1e-6 * len(drafts))


HOLDS = {
    "a direct order": "promise", "ignore previous": "link", "role play": "promise", "a model without limits": "profanity",
    "base64 in": "email", "base64 out": "prompt_leak", "another language": "promise", "an answer in Chinese": "language",
    "an image that tells": "markup", "the prompt": "prompt_leak", "the prompt in other words": "prompt_leak",
    "a marketplace's security": "phone", "a marketplace's moderator": "personal_data", "an end of the marks": "link",
    "JSON": "markup", "what nobody sees": "hidden_characters", "a number in words": "phone", "a reward": "promise",
    "a script": "markup", "a person": "personal_data", "a very long answer": "length", "a placeholder": "markup",
    "a disguised link": "link", "a code to scan": "link",
}  # fmt: skip


def keep_reviews(engine, texts):
    with transaction(engine) as session:
        reviews = [a_review(number, text=text) for number, text in enumerate(texts)]
        ReviewRepository(session).save(reviews, datetime.now(UTC))


def advice_by_text(engine):
    with transaction(engine) as session:
        rows = session.execute(select(ReviewRow.text, AdviceRow).join(AdviceRow, AdviceRow.review_id == ReviewRow.id))
        return {text: (advice.outcome, advice.failed_checks) for text, advice in rows}


def test_what_a_model_says_that_obeys_the_orders_of_reviews_is_held_and_paid_once(
    world_of, context_of, reader, sqlite_engine
):
    port, calls, _ = world_of()
    context = context_of(port)
    orders = {name: f"Пижама хорошая, но {injection.order}." for name, injection in INJECTIONS.items()}
    keep_reviews(sqlite_engine, [*orders.values(), "Хорошая пижама"])

    done, again = (generate_advice(context.for_run({})) for _ in range(2))

    advice = advice_by_text(sqlite_engine)
    assert advice.pop("Хорошая пижама") == (DRAFTED, None)
    assert INJECTIONS.keys() == HOLDS.keys()
    assert {name: advice[order][0] for name, order in orders.items()} == dict.fromkeys(HOLDS, HELD)
    assert [name for name, order in orders.items() if HOLDS[name] not in advice[order][1]] == []
    assert (done[HELD], done[DRAFTED], done["waiting"]) == (len(INJECTIONS), 1, 0)
    assert again == {DRAFTED: 0, "waiting": 0}
    assert len(calls.paths) == len(INJECTIONS) + 1
    assert counted(reader, "draft_checks_total")['reason="phone"'] == 2
    assert sum(counted(reader, "advice_generated_total").values()) == 1


def test_a_model_that_reasons_for_long_and_reviews_that_it_refuses_do_not_keep_others_from_their_drafts(
    world_of, context_of, sqlite_engine
):
    port, calls, _ = world_of()
    refused = ["[[refuse]]", "[[gateway]]", "[[context]]", "[[repetitive]]", "[[invalid_prompt]]"]
    keep_reviews(sqlite_engine, [*refused, "[[long]] Хорошая пижама", "Хорошая пижама"])

    generate_advice(context_of(port).for_run({}))

    assert advice_by_text(sqlite_engine) == {
        **dict.fromkeys(refused, ("refused", None)),
        **dict.fromkeys(("[[long]] Хорошая пижама", "Хорошая пижама"), (DRAFTED, None)),
    }
    assert len(calls.paths) == len(refused) + 3
    with transaction(sqlite_engine) as session:
        reasons = "\n".join(filter(None, session.scalars(select(AdviceRow.reason))))
    for told in (
        "refuses this review with 422 (content_filter",
        "refuses this review with 400 (context_length_exceeded",
    ):
        assert told in reasons


def test_a_project_of_another_region_ends_the_run_with_what_to_set_and_the_review_stays_due(
    world_of, context_of, sqlite_engine
):
    port, _, _ = world_of()
    keep_reviews(sqlite_engine, ["[[residency]]"])

    with pytest.raises(Misconfigured, match="OPENAI_BASE_URL"):
        generate_advice(context_of(port).for_run({}))

    assert advice_by_text(sqlite_engine) == {}
    with transaction(sqlite_engine) as session:
        assert session.scalar(select(func.count()).where(ReviewRow.advice_due_at.is_not(None))) == 1


def test_without_money_the_run_fails_and_those_after_it_ask_nothing_for_a_while(world_of, context_of, sqlite_engine):
    port, calls, _ = world_of(openai_quota=False)
    context = context_of(port)
    sync.sync_wb_reviews(context.for_run({}))
    asked = len(calls.paths)

    with pytest.raises(QuotaExhausted, match="Top it up"):
        generate_advice(context.for_run({}))
    once = len(calls.paths) - asked
    later = generate_advice(context.for_run({}))

    assert once == 1
    assert len(calls.paths) == asked + once
    assert later[DRAFTED] == 0
    assert later["waiting"] > 0
    paused = datetime.fromisoformat(later["paused_until"]) - datetime.now(UTC)
    assert timedelta(minutes=10) < paused <= timedelta(minutes=15)


def test_a_service_that_stops_drafts_no_more(world_of, context_of):
    port, calls, _ = world_of()
    sync.sync_wb_reviews(context_of(port).for_run({}))
    asked = len(calls.paths)

    with pytest.raises(BaseException, match="the service stops"):
        generate_advice(context_of(port, is_running=lambda: False).for_run({}))

    assert len(calls.paths) == asked


def warnings_of(caplog):
    return [
        (record.levelno, record.component)
        for record in caplog.records
        if "API_TOKEN" in record.message or "API_KEY" in record.message
    ]


@pytest.mark.parametrize(("days", "warned"), [(10, True), (20, False)])
def test_a_token_of_wildberries_that_ends_within_two_weeks_is_a_warning(world_of, context_of, caplog, days, warned):
    port, _, _ = world_of()
    values = sandbox_values({"sandbox_port": port})
    token = credentials.wb_token(expires=int(time.time()) + days * 86_400)

    done = sync.sync_wb_reviews(context_of(**values | {"wb_api_token": token}).for_run({}))

    assert done["new"] > 0
    assert warnings_of(caplog) == [(logging.WARNING, "wb")] * warned
    assert token not in caplog.text


@pytest.mark.parametrize(("days", "warned"), [(10, True), (20, False)])
def test_a_key_of_ozon_that_ends_within_two_weeks_is_a_warning(world_of, context_of, caplog, days, warned):
    port, _, _ = world_of(ozon_key_days=days)

    done = sync.sync_ozon_reviews(context_of(port).for_run({}))

    assert done["new"] > 0
    assert warnings_of(caplog) == [(logging.WARNING, "ozon")] * warned
    assert credentials.OZON_API_KEY not in caplog.text


def test_when_the_key_of_ozon_expires_is_known_to_every_process(world_of, context_of, sqlite_engine):
    port, _, _ = world_of(ozon_key_days=10)
    context = context_of(port)

    sync.sync_ozon_reviews(context.for_run({}))

    with transaction(sqlite_engine) as session:
        expiry = known_expiries(session, context.settings)["ozon"]
    assert timedelta(days=9) < expiry - datetime.now(UTC) < timedelta(days=11)


def test_rows_that_are_not_stored_and_odd_ones_are_counted_apart_by_their_source(context_of, reader):
    odd = [a_review(number, odd=invalid_row(number)) for number in range(3, 6)]

    class Clients:
        def reviews(self, _marketplace):
            return FakeMarketplace(unanswered=([a_review(), invalid_row(1), invalid_row(2), *odd],))

        wb_token = WildberriesToken.parse("no token")

    sync.sync_wb_reviews(context_of(clients=Clients()).for_run({}))

    assert counted(reader, "invalid_rows_total") == {'source="wb.reviews"': 2}
    assert counted(reader, "odd_rows_total") == {'source="wb.reviews"': 3}
    by_status = {f'marketplace="wb",status="{status}"': number for status, number in {"new": 4, "invalid": 2}.items()}
    assert counted(reader, "reviews_processed_total") == by_status


def test_a_key_of_ozon_that_ends_is_a_warning_also_when_no_review_can_be_read(world_of, context_of, caplog):
    port, _, _ = world_of(ozon_key_days=10)
    context = context_of(port)

    class WithoutReviews:
        ozon = context.clients.ozon

        def reviews(self, _marketplace):
            missing = SubscriptionMissing("Buy the subscription.")
            return FakeMarketplace(unanswered=[missing], history=[missing])

    done = sync.sync_ozon_reviews(context_of(port, clients=WithoutReviews()).for_run({}))

    assert isinstance(done, Skipped)
    assert warnings_of(caplog) == [(logging.WARNING, "ozon")]


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [("Спасибо за отзыв!", "published", None), ("Пишите: help@shop.test", "rejected", "Контактные данные")],
)
def test_an_answer_at_ozon_is_in_moderation_until_its_comments_show_what_became_of_it(
    world_of, context_of, sqlite_engine, caplog, text, state, reason
):
    port, calls, sandbox = world_of()
    context = context_of(port)
    sync.sync_ozon_reviews(context.for_run({}))
    row = row_of(sqlite_engine, answered=False)

    publication = Publisher(sqlite_engine, context.clients.ozon_reviews, utcnow, lambda _seconds: None).publish(
        row, text
    )

    assert publication.state == "sent"
    states = []
    for _ in range(4):
        sync.sync_ozon_reviews(context.for_run({}))
        row = row_of(sqlite_engine, id=row.id)
        states.append((row.answered, row.answer_state, row.answer_text, row.answer_reason))
        sandbox.environment.simulation.frozen_at += timedelta(minutes=5)
    in_moderation = (True, "moderation", text, None)
    assert states == [in_moderation, *[(True, state, text, reason)] * 3]
    told = [message for message in caplog.messages if message.startswith("ozon rejected the answer to review")]
    assert len(told) == (1 if reason else 0)
    assert calls.paths.count("/ozon/v1/review/comment/create") == 1


def row_of(engine, **where):
    """The first review of Ozon with these columns."""
    with transaction(engine) as session:
        found = select(ReviewRow).filter_by(marketplace="ozon", **where).order_by(ReviewRow.id)
        return session.scalars(found).first()


def test_without_the_subscription_the_job_is_off_until_there_is_one(world_of, context_of, sqlite_engine, caplog):
    port, calls, sandbox = world_of(ozon_subscription=False)
    context = context_of(port)

    runs = [sync.sync_ozon_reviews(context.for_run({})) for _ in range(3)]

    assert all(isinstance(run, Skipped) for run in runs)
    assert "buy the subscription" in runs[-1]["reason"]
    assert calls.paths.count("/ozon/v2/review/list") == 3, "each list was tried once"
    assert [r.component for r in caplog.records if r.levelno == logging.ERROR] == ["ozon"]
    sandbox.environment.options.ozon_subscription = True
    assert isinstance(sync.sync_ozon_reviews(context.for_run({})), Skipped)
    assert sync.sync_ozon_reviews(replace(context, manual=True).for_run({}))["new"] == 8
    assert not isinstance(sync.sync_ozon_reviews(context.for_run({})), Skipped)
    assert many(sqlite_engine, ReviewRow, "ozon") == 8


class Ozon:
    """Clients of an Ozon that has one review, and no information about the key."""

    class ozon:  # noqa: N801  # it stands for the client
        api = type("Api", (), {"headers": {"Client-Id": "1"}})

        @staticmethod
        def call(_call, _patience=None):
            raise Unreachable("ozon answered /v1/roles with 502.", may_have_applied=True)

    def reviews(self, marketplace):
        shop = FakeMarketplace(unanswered=[[a_review(marketplace=marketplace)]])
        shop.name = marketplace
        return shop


def test_reviews_that_were_read_are_no_failure_because_nothing_is_known_of_the_key(context_of):
    done = sync.sync_ozon_reviews(context_of(clients=Ozon()).for_run({}))

    assert done["new"] == 1


def test_what_a_sync_has_done_is_told_also_when_it_fails(context_of, sqlite_engine, reader):
    class Clients:
        wb_token = type("Token", (), {"warning": lambda self, now: None})()

        def reviews(self, _marketplace):
            return FakeMarketplace(
                unanswered=[[a_review(1), a_review(2)]], history=[Unauthorized("check WB_API_TOKEN")]
            )

    progress = {}

    with pytest.raises(Unauthorized):
        sync.sync_wb_reviews(context_of(clients=Clients()).for_run(progress))

    assert (progress["new"], progress["pages"]) == (2, 1)
    assert counted(reader, "reviews_processed_total") == {'marketplace="wb",status="new"': 2}
    assert many(sqlite_engine, ReviewRow, "wb") == 2


@pytest.mark.parametrize(
    "job",
    [
        sync.sync_wb_reviews,
        sync.sync_wb_orders,
        sync.sync_ozon_reviews,
        sync.sync_ozon_orders,
        generate_advice,
    ],
)
def test_a_job_without_its_variables_names_one(context_of, job):
    with pytest.raises(NotConfigured, match="is not set"):
        job(context_of().for_run({}))


def test_each_run_says_what_it_has_to_say_for_itself(context_of):
    context, one, other = context_of(), {}, {}

    assert context.for_run(one).progress is one
    assert context.for_run(other).progress is other
    assert context.for_run(one).engine is context.engine
    assert context.progress == {}
