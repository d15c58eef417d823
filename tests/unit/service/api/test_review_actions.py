import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.advice.outcomes import DRAFTED, HELD, REFUSED, Draft
from service.advice.queue import AdviceQueue
from service.api import review_actions
from service.api.edge.admission import Admissions
from service.api.problems import install_exception_handlers
from service.api.reviews import router as review_router
from service.database.process_engines import Engines
from service.database.tables import AdviceRow, ReviewRow
from service.integrations.http.errors import Forbidden, NotConfigured, RateLimited, Unreachable
from service.integrations.openai.errors import QuotaExhausted
from service.reviews.repository import ReviewRepository
from service.settings import Settings
from telemetry.database import transaction
from tests.support.fakes import NOON, a_review, answered, rows_of

TOKEN = "the-operators-own"
PROBLEM_JSON = "application/problem+json"


def a_draft(outcome=DRAFTED, text="Thank you!", reason=None):
    return Draft(
        outcome=outcome,
        text=text,
        model="gpt-5.4-mini",
        input_tokens=400,
        output_tokens=60,
        cost_usd=Decimal("0.000570"),
        reason=reason,
    )


class Drafter:
    """Returns always the same draft, or raises the same error."""

    def __init__(self, result):
        self.result, self.asked = result, []

    def draft(self, subject, answer_length):
        self.asked.append((subject.text, answer_length))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Marketplace:
    """Has one review, and shows an answer at once; reading it raises `refuses`, if given."""

    answer_length = 1000

    def __init__(self, name):
        self.name, self.review, self.written, self.refuses = name, a_review(1, marketplace=name), [], None

    def read(self, _external_id):
        if self.refuses:
            raise self.refuses
        return replace(self.review, as_of=datetime.now(UTC))

    def answer(self, _external_id, text):
        self.written.append(text)
        self.review = replace(self.review, answered=True, answer_text=text, answer_state="published")
        return False


class Silent(Marketplace):
    """Accepts an answer, and does not show it."""

    def answer(self, _external_id, text):
        self.written.append(text)
        return False


class CutOff(Marketplace):
    """Loses the connection when an answer is sent, and shows no answer."""

    def answer(self, _external_id, _text):
        raise Unreachable("wb is unavailable: timed out.", may_have_applied=True)


class Outside:
    """Has one marketplace and one drafter; without them, nothing is configured."""

    def __init__(self, marketplace, drafter):
        self.marketplace, self._drafter, self.asked = marketplace, drafter, []

    def reviews(self, name):
        self.asked.append(name)
        if self.marketplace is None:
            raise NotConfigured("WB_API_TOKEN is not set.")
        return self.marketplace

    @property
    def drafter(self):
        if self._drafter is None:
            raise NotConfigured("OPENAI_MODEL is not set.")
        return self._drafter


class Desk:
    def __init__(self, engine, outside):
        self.engines, self.interactive_clients = Engines(engine, engine, engine), outside


@pytest.fixture
def make_api(sqlite_engine):
    """A client of the API with the token, for these clients and one stored review of the marketplace."""

    def make(marketplace=None, drafter=None, ops_token=TOKEN, *, headers=True):
        app = FastAPI(telemetry={"tracing": False})
        install_exception_handlers(app)
        for router in (review_router, review_actions.router):
            app.include_router(router)
        app.state.settings = Settings(ops_token=ops_token)
        app.state.admissions = Admissions()
        app.state.runtime = Desk(sqlite_engine, Outside(marketplace, drafter))
        keep(sqlite_engine, a_review(1, marketplace=marketplace.name if marketplace else "wb"))
        given = {"Authorization": f"Bearer {ops_token}"} if headers and ops_token else {}
        return TestClient(app, raise_server_exceptions=False, headers=given)

    return make


def keep(engine, *reviews):
    with transaction(engine) as session:
        ReviewRepository(session).save(reviews, NOON)


def keep_draft(engine, draft, review_id=1):
    with transaction(engine) as session:
        AdviceQueue(session).add_draft(review_id, draft, NOON)


def problem(answer, status):
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON), answer.text
    return answer.json()["detail"]


def publish(api, text=None, review_id=1, **headers):
    body = {} if text is None else {"text": text}
    return api.post(f"/api/v1/reviews/{review_id}/answer", json=body, headers=headers)


def test_a_text_is_published_and_the_review_is_answered(make_api, sqlite_engine):
    marketplace = Marketplace("ozon")
    api = make_api(marketplace)

    answer = publish(api, "  Thank you!  ")

    assert (answer.status_code, answer.json()) == (200, {"state": "published", "text": "Thank you!"})
    assert marketplace.written == ["Thank you!"]
    assert api.app.state.runtime.interactive_clients.asked == ["ozon"]
    [row] = rows_of(sqlite_engine, ReviewRow)
    assert (row.answered, row.answer_text, row.advice_due_at) == (True, "Thank you!", None)


@pytest.mark.parametrize("body", [None, {}, {"text": None}], ids=["no body", "no text", "null"])
def test_without_a_text_the_newest_draft_is_published(make_api, sqlite_engine, body):
    marketplace = Marketplace("wb")
    api = make_api(marketplace)
    for draft in (a_draft(text="The first."), a_draft(text="The second."), a_draft(REFUSED, None, "It says no.")):
        keep_draft(sqlite_engine, draft)

    answer = api.post("/api/v1/reviews/1/answer", **({} if body is None else {"json": body}))

    assert answer.json() == {"state": "published", "text": "The second."}
    assert marketplace.written == ["The second."]


@pytest.mark.parametrize("draft", [None, a_draft(REFUSED, None, "It says no.")], ids=["none", "refused"])
def test_without_a_text_and_without_a_draft_nothing_is_published(make_api, sqlite_engine, draft):
    marketplace = Marketplace("wb")
    api = make_api(marketplace)
    if draft:
        keep_draft(sqlite_engine, draft)

    answer = publish(api)

    assert problem(answer, 409).startswith("There is no draft for this review: send a `text`")
    assert marketplace.written == []


def test_a_draft_that_is_held_is_told_with_its_checks_and_goes_out_only_as_a_text_of_the_sellers(
    make_api, sqlite_engine
):
    marketplace = Marketplace("wb")
    api = make_api(marketplace)
    text = "Visit example.com for a refund!"
    keep_draft(
        sqlite_engine, replace(a_draft(HELD, None, "It has a link."), text=text, failed_checks=("link", "promise"))
    )
    keep_draft(sqlite_engine, a_draft(REFUSED, None, "It says no."))

    told = api.get("/api/v1/reviews/1").json()["advice"]
    refused = problem(publish(api), 409)
    written = list(marketplace.written)
    answer = publish(api, text)

    assert (told["outcome"], told["text"], told["failed_checks"]) == (HELD, text, ["link", "promise"])
    assert refused == (
        "The draft is held because of: a link or a way to an account elsewhere; a promise of money, a discount or a gift. "
        "Send a `text` of your own, or draft another one by POST …/advice."
    )
    assert written == []
    assert (answer.status_code, marketplace.written) == (200, [text])
    assert rows_of(sqlite_engine, ReviewRow)[0].advice_due_at is None


@pytest.mark.parametrize("text", ["Call +7 916 123-45-67!", "Спасибо, [Имя]!"])
def test_a_draft_from_before_an_update_is_checked_before_it_goes_out(make_api, sqlite_engine, text):
    marketplace = Marketplace("wb")
    api = make_api(marketplace)
    keep_draft(sqlite_engine, a_draft(text=text))

    assert "is held" in problem(publish(api), 409)
    assert marketplace.written == []


@pytest.mark.parametrize("text", ["", "   ", "x", "x" * 1001])
def test_a_text_that_is_given_and_unfit_is_refused_and_no_draft_goes_out_in_its_place(make_api, sqlite_engine, text):
    marketplace = Marketplace("ozon")
    api = make_api(marketplace)
    keep_draft(sqlite_engine, a_draft())

    answer = publish(api, text)

    assert "has 2 to 1000 characters" in problem(answer, 422)
    assert marketplace.written == []


@pytest.mark.parametrize("body", [{"text": "x" * 5001}, {"answer": "Thank you!"}, {"text": 7}, [1]])
def test_a_body_that_is_none_is_told_what_is_wrong_with_it(make_api, body):
    answer = make_api(Marketplace("wb")).post("/api/v1/reviews/1/answer", json=body)

    assert problem(answer, 422)


def test_what_was_taken_and_is_not_shown_yet_is_accepted(make_api):
    began = time.monotonic()

    answer = publish(make_api(Silent("wb")), "Thank you!")

    assert (answer.status_code, answer.json()) == (202, {"state": "sent", "text": "Thank you!"})
    assert time.monotonic() - began < 10


def test_what_may_have_been_taken_is_a_problem_that_says_who_finds_out_and_is_not_sent_again(make_api):
    api = make_api(CutOff("wb"))

    first, second = publish(api, "Thank you!"), publish(api, "Thank you!")

    assert "The next sync finds out" in problem(first, 504)
    assert "is not confirmed yet" in problem(second, 409)


def test_what_is_answered_already_is_refused(make_api, sqlite_engine):
    marketplace = Marketplace("wb")
    api = make_api(marketplace)
    keep(sqlite_engine, answered(1, as_of=NOON + timedelta(minutes=1)))

    assert "has an answer" in problem(publish(api, "Thank you!"), 409)
    assert marketplace.written == []


def test_a_review_that_there_is_not_is_a_404_for_both(make_api):
    api = make_api(Marketplace("wb"), Drafter(a_draft()))

    assert problem(publish(api, "Thank you!", review_id=99), 404).startswith("There is no review 99")
    assert problem(api.post("/api/v1/reviews/99/advice"), 404).startswith("There is no review 99")
    assert api.app.state.runtime.interactive_clients.asked == []


def test_where_there_is_no_token_nobody_publishes(make_api):
    marketplace = Marketplace("wb")
    api = make_api(marketplace, ops_token=None)

    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer anything"}):
        assert "needs OPS_TOKEN to be set" in problem(publish(api, "Thank you!", **headers), 403)
    assert marketplace.written == []


@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_where_there_is_one_nobody_publishes_or_drafts_without_it(make_api, given):
    marketplace, drafter = Marketplace("wb"), Drafter(a_draft())
    api = make_api(marketplace, drafter, headers=False)

    for path in ("/api/v1/reviews/1/answer", "/api/v1/reviews/1/advice", "/api/v1/reviews/99/answer"):
        answer = api.post(path, json={"text": "Thank you!"}, headers=given)
        assert "OPS_TOKEN" in problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (marketplace.written, drafter.asked) == ([], [])


def test_another_draft_is_stored_and_given_and_the_one_before_it_is_kept(make_api, sqlite_engine):
    drafter = Drafter(a_draft(text="The second."))
    api = make_api(drafter=drafter)
    keep_draft(sqlite_engine, a_draft(text="The first."))

    answer = api.post("/api/v1/reviews/1/advice")

    told = answer.json()
    assert answer.status_code == 200
    assert datetime.now(UTC) - datetime.fromisoformat(told.pop("created_at")) < timedelta(minutes=1)
    assert told == {
        "id": 2,
        "outcome": DRAFTED,
        "text": "The second.",
        "model": "gpt-5.4-mini",
        "input_tokens": 400,
        "output_tokens": 60,
        "cost_usd": "0.000570",
        "reason": None,
        "failed_checks": [],
    }
    assert drafter.asked == [("Fits well.", 800)]
    assert [row.text for row in rows_of(sqlite_engine, AdviceRow)] == ["The first.", "The second."]
    assert api.get("/api/v1/reviews/1").json()["advice"]["text"] == "The second."


def test_where_there_is_no_token_everybody_may_draft_but_no_form_of_another_site(make_api):
    api = make_api(drafter=Drafter(a_draft()), ops_token=None)

    assert api.post("/api/v1/reviews/1/advice").status_code == 415
    assert api.post("/api/v1/reviews/1/advice", headers={"content-type": "application/json"}).status_code == 200


def test_a_draft_that_does_not_come_about_says_why(make_api, sqlite_engine):
    api = make_api(drafter=Drafter(a_draft(REFUSED, None, "It says no.")))

    told = api.post("/api/v1/reviews/1/advice").json()

    assert (told["outcome"], told["text"], told["reason"]) == (REFUSED, None, "It says no.")
    assert rows_of(sqlite_engine, ReviewRow)[0].advice_due_at == NOON


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QuotaExhausted(), 502),
        (Unreachable("OpenAI answered with 500.", may_have_applied=True), 502),
        (RateLimited("OpenAI", datetime.now(UTC) + timedelta(hours=2)), 503),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_openai_that_does_not_answer_is_said_in_its_sentence_and_nothing_is_kept(
    make_api, sqlite_engine, error, status
):
    answer = make_api(drafter=Drafter(error)).post("/api/v1/reviews/1/advice")

    assert problem(answer, status) == str(error)
    assert rows_of(sqlite_engine, AdviceRow) == []


def test_a_marketplace_that_may_be_asked_later_says_when(make_api, sqlite_engine):
    marketplace = Marketplace("wb")
    marketplace.refuses = RateLimited("wb", datetime.now(UTC) + timedelta(seconds=90))

    answer = publish(make_api(marketplace), "Thank you!")

    assert "wb may be called again at" in problem(answer, 503)
    assert 80 <= int(answer.headers["retry-after"]) <= 90
    assert rows_of(sqlite_engine, ReviewRow)[0].answer_claimed_at is None


def test_a_marketplace_that_refuses_is_a_bad_gateway_in_its_words(make_api):
    marketplace = Marketplace("wb")
    marketplace.refuses = Forbidden("WB_API_TOKEN lacks a category.")

    assert problem(publish(make_api(marketplace), "Thank you!"), 502) == "WB_API_TOKEN lacks a category."


def test_what_is_not_configured_is_said_with_its_variable(make_api):
    api = make_api()

    assert problem(publish(api, "Thank you!"), 503) == "WB_API_TOKEN is not set."
    assert problem(api.post("/api/v1/reviews/1/advice"), 503) == "OPENAI_MODEL is not set."


class Rejecting(Marketplace):
    """Has rejected the answer, and lets it be corrected."""

    def __init__(self, name):
        super().__init__(name)
        self.review = answered(
            1, marketplace=name, answer_state="rejected", answer_text="Call us", answer_editable=True, as_of=NOON
        )

    def correct(self, _external_id, text):
        self.written.append(text)
        self.review = replace(self.review, answer_text=text, answer_state="moderation", answer_editable=False)


@pytest.fixture
def rejecting_api(make_api, sqlite_engine):
    marketplace = Rejecting("wb")
    api = make_api(marketplace)
    keep(sqlite_engine, marketplace.review)
    keep_draft(sqlite_engine, a_draft())
    return api, marketplace


def test_a_rejected_answer_is_seen_found_and_corrected_with_a_text(rejecting_api):
    api, marketplace = rejecting_api

    assert api.get("/api/v1/reviews/1").json()["answer_state"] == "rejected"
    assert [row["id"] for row in api.get("/api/v1/reviews?answer_state=rejected").json()["reviews"]] == [1]
    response = publish(api, "Thank you!")

    assert (response.status_code, response.json()) == (202, {"state": "sent", "text": "Thank you!"})
    assert marketplace.written == ["Thank you!"]
    assert api.get("/api/v1/reviews?answer_state=rejected").json()["reviews"] == []
    assert [row["id"] for row in api.get("/api/v1/reviews?answer_state=moderation").json()["reviews"]] == [1]


def test_a_rejected_answer_is_corrected_with_no_draft(rejecting_api):
    api, marketplace = rejecting_api

    assert "`text` of your own" in problem(publish(api), 422)
    assert marketplace.written == []


def test_a_rejected_answer_that_may_not_be_changed_is_a_conflict(rejecting_api):
    api, marketplace = rejecting_api
    marketplace.review = replace(marketplace.review, answer_editable=False)

    assert "cannot be corrected any more" in problem(publish(api, "Thank you!"), 409)


def test_a_state_of_answers_that_there_is_not_is_a_422(make_api):
    assert make_api(Marketplace("wb")).get("/api/v1/reviews?answer_state=lost").status_code == 422
