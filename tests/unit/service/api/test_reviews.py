from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.edge.admission import Admissions
from service.api.problems import install_exception_handlers
from service.api.reviews import router
from service.database.process_engines import Engines
from service.database.tables import AdviceRow
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction
from tests.support.fakes import NOON, a_review, answered

MOSCOW = timezone(timedelta(hours=3))
REVIEW = [
    "id",
    "marketplace",
    "external_id",
    "created_at",
    "rating",
    "text",
    "pros",
    "cons",
    "product_id",
    "product_name",
    "answered",
    "answer_text",
    "answer_state",
    "answer_reason",
    "first_seen_at",
    "gone_at",
]


def make_client(engine):
    app = FastAPI()
    install_exception_handlers(app)
    app.include_router(router)
    app.state.runtime = SimpleNamespace(engines=Engines(engine, engine, engine))
    app.state.admissions = Admissions()
    return TestClient(app, raise_server_exceptions=False)


def keep_in(engine, *reviews):
    with transaction(engine) as session:
        ReviewRepository(session).save(reviews, NOON)


@pytest.fixture
def client(sqlite_engine):
    return make_client(sqlite_engine)


@pytest.fixture
def keep(sqlite_engine):
    return partial(keep_in, sqlite_engine)


def advise_in(engine, **advice):
    with transaction(engine) as session:
        session.add(AdviceRow(review_id=1, created_at=NOON, **advice))


@pytest.fixture
def advise(sqlite_engine):
    return partial(advise_in, sqlite_engine)


def listed(client, query=""):
    answer = client.get(f"/api/v1/reviews?{query}")
    assert answer.status_code == 200, answer.text
    return [review["external_id"] for review in answer.json()["reviews"]]


def detail(answer, status):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()["detail"]


def test_everything_that_is_useful_of_a_review_is_told(engine):
    keep_in(engine, answered(1, created_at=datetime(2025, 10, 1, 12, 30, tzinfo=MOSCOW)))

    [review] = make_client(engine).get("/api/v1/reviews").json()["reviews"]

    assert review == {
        "id": 1,
        "marketplace": "wb",
        "external_id": "review-1",
        "created_at": "2025-10-01T09:30:00Z",
        "rating": 5,
        "text": "Fits well.",
        "pros": "",
        "cons": "",
        "product_id": "245901773",
        "product_name": "Pyjamas",
        "answered": True,
        "answer_text": "Thank you!",
        "answer_state": "published",
        "answer_reason": None,
        "first_seen_at": "2025-10-02T12:00:00Z",
        "gone_at": None,
    }


def test_reviews_are_told_newest_first_and_fifty_unless_asked_otherwise(client, keep):
    keep(*(a_review(number) for number in range(60)))

    assert listed(client) == [f"review-{number}" for number in range(59, 9, -1)]
    assert len(listed(client, "limit=500")) == 60


def test_the_next_page_is_behind_a_link_until_there_is_none(client, keep):
    keep(*(a_review(number, rating=1 + number % 2) for number in range(6)))
    pages, url = [], "/api/v1/reviews?rating=1&limit=2"

    while url:
        answer = client.get(url)
        pages.append([review["external_id"] for review in answer.json()["reviews"]])
        url = answer.links.get("next", {}).get("url")

    assert pages == [["review-4", "review-2"], ["review-0"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("marketplace=ozon", [2]),
        ("rating=1", [3]),
        ("answered=true", [4]),
        ("answered=false&marketplace=wb", [3, 1]),
        (f"since={a_review(3).created_at:%Y-%m-%dT%H:%M:%SZ}", [4, 3]),
        ("since=2025-10-01T15:03:00%2B03:00", [4, 3]),
        ("since=2025-10-01T15:03:00+03:00", [4, 3]),
        ("marketplace=&rating=&answered=&since=&before=", [4, 3, 2, 1]),
        ("before=3&limit=1", [2]),
    ],
)
def test_reviews_are_told_as_they_are_asked_for(client, keep, query, numbers):
    keep(a_review(1), a_review(2, marketplace="ozon"), a_review(3, rating=1), answered(4))

    assert listed(client, query) == [f"review-{number}" for number in numbers]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("rating=6", "rating must be a whole number from 1 to 5; got 6."),
        ("marketplace=amazon", "marketplace must be wb or ozon; got amazon."),
        ("limit=", "limit must be a whole number from 1 to 500; got nothing."),
        ("before=9", "before must be the id of a stored row, such as the last one of the page before; got 9."),
        (
            "since=yesterday",
            (
                "since must be a date and time with an offset from UTC, for example 2025-10-02T12:00:00Z or "
                "2025-10-02T15:00:00+03:00; got yesterday."
            ),
        ),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(client, keep, query, said):
    keep(a_review(1))

    assert said in detail(client.get(f"/api/v1/reviews?{query}"), 422)


def test_a_review_is_told_with_its_advice(engine):
    cost = {"input_tokens": 412, "output_tokens": 58, "cost_usd": Decimal("0.00123")}
    keep_in(engine, a_review(1))
    advise_in(engine, outcome="refused", model="m", reason="it says no", input_tokens=None, output_tokens=None)
    advise_in(engine, outcome="drafted", text="Thank you!", model="m", **cost)

    review = make_client(engine).get("/api/v1/reviews/1").json()

    assert list(review) == [*REVIEW, "advice"]
    assert review["external_id"] == "review-1"
    assert review["advice"] == {
        "id": 2,
        "created_at": "2025-10-02T12:00:00Z",
        "outcome": "drafted",
        "text": "Thank you!",
        "model": "m",
        "input_tokens": 412,
        "output_tokens": 58,
        "cost_usd": "0.001230",
        "reason": None,
        "failed_checks": [],
    }


def test_a_review_without_a_draft_is_told_with_what_went_wrong(client, keep, advise):
    keep(a_review(1))
    assert client.get("/api/v1/reviews/1").json()["advice"] is None

    advise(outcome="refused", model="m", reason="it says no")

    advice = client.get("/api/v1/reviews/1").json()["advice"]
    assert (advice["outcome"], advice["reason"], advice["text"]) == ("refused", "it says no", None)


def test_a_review_that_is_not_there_is_said_to_be_so(client):
    assert detail(client.get("/api/v1/reviews/7"), 404) == (
        "There is no review 7; /api/v1/reviews lists what there is."
    )


@pytest.mark.parametrize("number", ["0", "x", str(2**63)])
def test_what_is_no_number_of_a_review_is_said_to_be_so(client, number):
    assert number in detail(client.get(f"/api/v1/reviews/{number}"), 422)
