"""Syncs of Wildberries' reviews, with its real client, against a scripted server: what they call, and what needs a draft."""

from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select

from service.advice.outcomes import DRAFTED, Draft
from service.advice.queue import AdviceQueue
from service.database.tables import AdviceRow, RateLimitRow, ReviewRow
from service.integrations.http.client import ApiClient
from service.integrations.http.errors import Forbidden
from service.integrations.http.rate_limiter import RateLimit, RateLimiter
from service.integrations.wildberries.client import feedbacks_api
from service.integrations.wildberries.marketplace import WildberriesReviews
from service.reviews.sync import ReviewSync
from telemetry.database import transaction
from tests.support.fakes import rows_of
from tests.support.loopback import loopback, response
from tests.support.ozon_stub import ManualClock
from tests.support.wildberries_payloads import TOKEN, review
from tests.support.wildberries_stub import Feedbacks, answered, numbered

BASE = RateLimit("wb:base", 720.0)
PERSONAL = RateLimit("wb:personal", 1 / 3, 6)
DRAFT = Draft(
    outcome=DRAFTED,
    text="Спасибо!",
    model="gpt-5.4-mini",
    input_tokens=400,
    output_tokens=60,
    cost_usd=None,
    reason=None,
)
QUARTER = timedelta(minutes=15)


class Shop:
    """A server, and a service that syncs with it by a clock by hand, and drafts for what needs it."""

    def __init__(self, server, engine):
        self.server, self.engine, self.clock = server, engine, ManualClock()
        RateLimitRow.__table__.create(engine, checkfirst=True)

    def sync(self, limit=PERSONAL):
        self.server.requests.clear()
        limiter = RateLimiter(self.engine, self.clock.seconds)
        client = ApiClient(feedbacks_api(self.server.url, TOKEN), limiter, self.clock.wait)
        try:
            reviews = WildberriesReviews(client, limit, self.clock.now)
            ReviewSync(reviews, self.engine, lambda *_: None, self.clock.now).run({})
        finally:
            client.close()
            self.clock.moment += QUARTER
        return self.calls()

    def calls(self):
        """The paths that the last sync called."""
        return [path.removeprefix("/api/v1/") for path in self.server.paths]

    def draft_all(self):
        """Draft for each review that is due, and say for how many."""
        drafted = 0
        with transaction(self.engine) as session:
            queue = AdviceQueue(session)
            while leased := queue.lease(self.clock.now()):
                queue.complete(leased, DRAFT, self.clock.now())
                drafted += 1
        return drafted

    def rows(self):
        return {row.external_id: row for row in rows_of(self.engine, ReviewRow)}

    def waiting(self):
        return {external_id for external_id, row in self.rows().items() if not row.answered and row.gone_at is None}


@pytest.fixture
def shop(sqlite_engine):
    with loopback() as server:
        yield Shop(server, sqlite_engine)


def external(numbers):
    return {review(number)["id"] for number in numbers}


@pytest.mark.parametrize("state", ["wbRu", "none"])
def test_two_hundred_that_are_processed_without_an_answer_cost_no_draft_and_three_calls_a_sync(shop, state):
    rows = [numbered(number, state=state) for number in range(200)]
    shop.server.script = Feedbacks(*rows, numbered(300), processed=[row["id"] for row in rows])

    calls = [len(shop.sync()) for _ in range(5)]

    assert calls == [3] * 5
    assert shop.waiting() == external([300])
    assert len(shop.rows()) == 201
    assert shop.draft_all() == 1


def test_who_is_processed_after_the_draft_is_drafted_for_no_second_time(shop):
    feedbacks = Feedbacks(*map(numbered, range(20)))
    shop.server.script = feedbacks
    shop.sync()
    paid = shop.draft_all()

    calls = []
    for number in range(6):  # processed, and taken back, again and again
        feedbacks.processed = external(range(20)) if number % 2 == 0 else set()
        calls.append(len(shop.sync()))
        paid += shop.draft_all()

    assert paid == 20
    assert max(calls) == 3
    assert shop.waiting() == external(range(20))


def test_a_rating_alone_is_kept_from_the_archive_and_needs_no_draft(shop):
    rating = numbered(1, text="", pros="", cons="")
    shop.server.script = Feedbacks(rating, numbered(2), archived=[rating["id"]])

    shop.sync()
    first = shop.rows()[rating["id"]].gone_at
    shop.sync()

    assert shop.rows().keys() == external([1, 2])
    assert shop.waiting() == external([2])
    assert shop.rows()[rating["id"]].gone_at == first
    assert shop.draft_all() == 1


def test_a_rating_to_which_the_buyer_adds_a_text_waits_and_is_drafted_for(shop):
    rating = numbered(1, text="", pros="", cons="")
    feedbacks = Feedbacks(rating, archived=[rating["id"]])
    shop.server.script = feedbacks
    shop.sync()

    feedbacks.rows, feedbacks.archived = [numbered(1)], set()
    shop.sync()

    assert shop.waiting() == external([1])
    assert shop.draft_all() == 1


def test_few_calls_an_hour_serve_every_list_in_turn(shop):
    feedbacks = Feedbacks(numbered(1), numbered(2), answered(3), numbered(4, text=""), archived=external([4]))
    shop.server.script = feedbacks
    shop.sync(BASE)
    feedbacks.rows = [row for row in feedbacks.rows if row["id"] not in external([1])]  # removed, unseen

    calls = [shop.sync(BASE) for _ in range(12)]

    assert all(len(called) <= 1 for called in calls)
    for hour in (calls[:4], calls[4:8], calls[8:]):
        assert {"feedbacks", "feedbacks/archive"} <= {path for called in hour for path in called}
    assert ["feedback"] in calls
    assert shop.rows().keys() == external([1, 2, 3, 4])
    assert shop.rows()[review(3)["id"]].answered
    assert shop.waiting() == external([2])


def test_a_list_that_fails_keeps_no_other_one_from_its_turn(shop):
    feedbacks = Feedbacks(numbered(1), answered(3))

    def script(request):
        if request.path.endswith("/archive"):
            return response({"detail": "base token is not allowed"}, status=403)
        return feedbacks(request)

    shop.server.script = script
    calls = []
    for _ in range(9):
        with suppress(Forbidden):
            shop.sync(BASE)
        calls += shop.calls()

    assert calls.count("feedbacks/archive") <= 3
    assert calls.count("feedbacks") >= 5
    assert shop.rows()[review(3)["id"]].answered


def test_a_list_of_many_pages_takes_one_call_a_turn(shop, monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.reviews.PAGE_SIZE", 2)
    rows = [numbered(number) for number in range(9)]
    shop.server.script = Feedbacks(*rows, answered(20))

    calls = [shop.sync(BASE) for _ in range(12)]

    assert ["feedbacks/archive"] in calls[:4]
    for _ in range(12):
        shop.sync(BASE)
    assert shop.waiting() == external(range(9))
    assert shop.rows()[review(20)["id"]].answered


def test_a_rejected_answer_is_told_once_and_again_after_its_correction_was_rejected(shop, caplog):
    rejected = numbered(1, answer={"text": "Звоните нам", "state": "rejected", "editable": True}, state="wbRu")
    feedbacks = Feedbacks(rejected)
    shop.server.script = feedbacks

    def told(state):
        caplog.clear()
        rejected["answer"]["state"] = state
        shop.sync()
        return [record for record in caplog.records if "rejected" in record.getMessage()]

    [first] = told("rejected")
    assert first.getMessage().startswith("wb rejected the answer to review 1. GET /api/v1/reviews?answer_state=")
    assert (vars(first)["component"], vars(first)["alert.level"]) == ("wb", "WARNING")
    assert told("rejected") == []
    assert told("reviewRequired") == []
    assert len(told("rejected")) == 1
    assert told("wbRu") == []
    assert shop.rows()[rejected["id"]].answer_state == "published"


def test_many_rejected_answers_are_one_line(shop, caplog):
    answer = {"text": "Звоните нам", "state": "rejected", "editable": False}
    shop.server.script = Feedbacks(*(numbered(number, answer=answer) for number in range(30)))

    shop.sync()

    [line] = [message for message in caplog.messages if "rejected" in message]
    assert "30 answers, to the reviews 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more." in line
    with transaction(shop.engine) as session:
        assert len(session.scalars(select(ReviewRow).where(ReviewRow.rejection_told_at.is_not(None))).all()) == 30
        assert session.scalars(select(AdviceRow)).all() == []
