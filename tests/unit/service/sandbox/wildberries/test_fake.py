import json
from datetime import timedelta
from http import HTTPStatus

import pytest

from service.sandbox.journal import Journal
from tests.support.wildberries_sandbox import LIST, ORDERS, ROOT, WildberriesSeller


@pytest.fixture
def make_seller(make_environment, make_client, clock):
    def make(journal=None, **options):
        return WildberriesSeller(make_environment(journal, wb_limits=False, **options), make_client, clock)

    return make


@pytest.fixture
def shop(make_seller):
    return make_seller()


def everything_said(shop):
    """All responses to reads, errors included."""
    review_id = shop.unanswered()[0]
    answers = [
        shop.list("true"),
        shop.list("false", take=7, skip=3, order="dateAsc"),
        shop.list("perhaps"),
        shop.client.get(f"{LIST}/archive", params={"take": 100, "skip": 0}),
        shop.client.get(f"{ROOT}/feedback", params={"id": review_id}),
        shop.client.get(f"{ROOT}/feedback", params={"id": "unknown"}),
        shop.client.get(f"{LIST}/count-unanswered"),
        shop.answer("unknown", ""),
        shop.client.get(ORDERS, params={"dateFrom": "2026-11-01"}),
        shop.client.get(ORDERS, params={"dateFrom": "2026-11-24", "flag": 1}),
        shop.client.get("/wb-statistics/ping"),
        shop.client.get("/wb-feedbacks/nowhere"),
        shop.client.get("/wb-feedbacks/ping", headers={"Authorization": "nonsense"}),
    ]
    return [(answer.status_code, answer.content) for answer in answers]


def test_the_same_seed_at_the_same_moment_says_the_same_byte_for_byte(make_seller, clock):
    early = make_seller()
    everything_said(early)

    clock.advance(timedelta(minutes=47))
    shops = make_seller(), make_seller()

    assert everything_said(shops[0]) == everything_said(shops[1])
    assert [early.list(answered).content for answered in ("true", "false")] == [
        shops[0].list(answered).content for answered in ("true", "false")
    ]
    assert early.orders() == shops[0].orders()


def test_another_seed_is_another_world(shop, make_environment, make_client, clock):
    environment = make_environment(wb_limits=False)
    environment.simulation.seed = 2
    other = WildberriesSeller(environment, make_client, clock)

    assert set(other.unanswered()).isdisjoint(shop.unanswered())
    assert [row["nmId"] for row in other.orders()] != [row["nmId"] for row in shop.orders()]


def test_a_fake_from_the_same_journal_has_the_same_answers(make_seller, clock):
    journal = Journal()
    shop = make_seller(journal)
    for review_id in shop.unanswered()[:5]:
        shop.answer(review_id)
        clock.advance(timedelta(seconds=7))

    again = make_seller(journal)

    assert list(again.fake.expected_state("reviews")) == list(shop.fake.expected_state("reviews"))
    assert again.reviews("true") == shop.reviews("true")
    assert {review["answer"]["state"] for review in again.reviews("true") if review["answer"]} == {
        "wbRu",
        "reviewRequired",
    }


def test_the_truth_about_reviews_is_what_is_listed(shop):
    review_id = shop.unanswered()[0]
    shop.answer(review_id, "Спасибо!")

    expected_state = {review["id"]: review for review in shop.fake.expected_state("reviews")}

    answered = [review for review in shop.reviews("true") if review["answer"]]
    listed = {review["id"]: review for review in [*answered, *shop.reviews("false")]}
    assert {one for one, review in expected_state.items() if not review["archived"]} == listed.keys()
    for one, review in listed.items():
        answer = review["answer"]
        assert expected_state[one] == {
            "id": one,
            "rating": review["productValuation"],
            "answered": answer is not None,
            "answer_text": answer["text"] if answer else None,
            "archived": False,
        }
    assert expected_state[review_id]["answer_text"] == "Спасибо!"


def test_the_truth_knows_what_waits_for_no_answer_though_it_has_none(shop):
    expected_state = {review["id"]: review for review in shop.fake.expected_state("reviews")}
    archive = shop.client.get(f"{LIST}/archive", params={"take": 5000, "skip": 0}).json()["data"]["feedbacks"]
    unanswered = [review for review in archive if review["answer"] is None]

    bare = {review["id"] for review in unanswered if not (review["text"] or review["pros"] or review["photoLinks"])}
    processed = {review["id"] for review in shop.reviews("true") if review["answer"] is None}

    assert bare
    assert processed
    assert {one for one, review in expected_state.items() if review["archived"]} == {row["id"] for row in unanswered}
    assert bare | processed < {row["id"] for row in unanswered}


def test_the_truth_about_orders_is_their_newest_state(shop, clock):
    clock.advance(timedelta(hours=3))

    expected_state = list(shop.fake.expected_state("orders"))

    assert expected_state == [
        {name: row[name] for name in ("srid", "lastChangeDate", "isCancel")} for row in shop.orders()
    ]
    assert {order["isCancel"] for order in expected_state} == {True, False}


def test_there_is_no_truth_of_another_kind(shop):
    with pytest.raises(KeyError):
        shop.fake.expected_state("prices")


def test_too_many_calls_look_the_same_as_those_of_the_limit(shop):
    response = shop.fake.rate_limited(2)

    body = json.loads(response.body)
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert response.media_type == "application/problem+json"
    assert (response.headers["X-Ratelimit-Retry"], response.headers["X-Ratelimit-Reset"]) == ("2", "2")
    assert (body["title"], body["status"]) == ("too many requests", 429)


def test_a_server_error_is_a_page_that_is_no_json(shop):
    response = shop.fake.server_error()

    assert (response.status_code, response.media_type) == (502, "text/html")
    assert response.body.startswith(b"<html>")
