"""What the sandbox answers is what the public documentation says."""

from datetime import timedelta

import pytest

from service.sandbox.credentials import BASE, wb_token
from service.sandbox.wildberries.answer_store import FORBIDDEN_WORD
from tests.support.wildberries_sandbox import LIST, ORDERS, ROOT, WildberriesSeller
from tests.support.wildberries_schemas import RESPONSES, faults

PAGE = {"take": 5000, "skip": 0}


@pytest.fixture
def make_seller(make_environment, make_client, clock):
    return lambda **options: WildberriesSeller(
        make_environment(**{"wb_limits": False, "wb_reviews": 400} | options), make_client, clock
    )


@pytest.fixture
def shop(make_seller):
    return make_seller()


def check(name, response, status=200):
    assert response.status_code == status
    assert faults(RESPONSES[name], response.json()) == []
    return response.json()


@pytest.mark.parametrize("answered", ["true", "false"])
def test_both_lists(shop, answered):
    assert len(check("list", shop.list(answered))["data"]["feedbacks"]) > 50


def test_the_lists_after_answers_in_each_state(shop, clock):
    in_moderation, edited, rejected = shop.unanswered()[:3]
    shop.answer(rejected, f"{FORBIDDEN_WORD}!")
    shop.answer(edited)
    clock.advance(timedelta(minutes=1))
    shop.edit(edited, "Спасибо, ждём вас снова!")
    shop.answer(in_moderation)

    rows = check("list", shop.list("true"))["data"]["feedbacks"]

    states = {row["id"]: row["answer"] and row["answer"]["state"] for row in rows}
    assert (states[in_moderation], states[edited], states[rejected]) == ("reviewRequired", "reviewRequired", "rejected")
    assert {None, "wbRu"} < set(states.values())


def test_the_archive(shop):
    rows = check("archive", shop.client.get(f"{LIST}/archive", params=PAGE))["data"]["feedbacks"]

    assert any(row["answer"] is None and not (row["text"] or row["pros"] or row["photoLinks"]) for row in rows)


def test_one_review_and_the_counts(shop):
    check("one", shop.client.get(f"{ROOT}/feedback", params={"id": shop.unanswered()[0]}))
    check("count", shop.client.get(f"{LIST}/count"))
    check("count-unanswered", shop.client.get(f"{LIST}/count-unanswered"))
    check("news", shop.client.get(f"{ROOT}/new-feedbacks-questions"))
    for host in ("/wb-feedbacks", "/wb-statistics"):
        check("ping", shop.client.get(f"{host}/ping"))


def test_the_orders(shop):
    rows = check("orders", shop.client.get(ORDERS, params={"dateFrom": "2026-01-01"}))

    assert {row["cancelDate"] for row in rows if not row["isCancel"]} == {"0001-01-01T00:00:00", "", None}


def test_the_refusals(shop, make_seller):
    unknown = shop.client.get(f"{ROOT}/feedback", params={"id": "unknown"})
    check("refused", unknown, 422)
    check("refused", shop.client.get(LIST, params=PAGE), 400)
    check("refused", shop.client.get(LIST, params={**PAGE, "isAnswered": "true", "nmId": 0}))
    check("bad answer", shop.answer(shop.unanswered()[0], "x"), 400)
    check("bad orders", shop.client.get(ORDERS), 400)
    check("bad orders", shop.client.get(ORDERS, params={"dateFrom": "soon"}), 400)
    check("unauthorized", shop.client.get(LIST, headers={"Authorization": "none"}), 401)
    limited, closed = make_seller(wb_limits=True), make_seller(wb_base_secret=True)
    check("too many", [limited.list() for _ in range(7)][-1], 429)
    check("forbidden", closed.client.get(LIST, headers={"Authorization": wb_token(BASE)}), 403)


def test_a_shape_that_is_not_documented_is_found(shop):
    [row, *_] = shop.reviews()

    for changed in ({"sku": 1}, {"answer": {}}, {"createdDate": "2026-11-20"}, {"productValuation": "5"}):
        assert faults(RESPONSES["one"]["properties"]["data"], row | changed)
    assert faults(RESPONSES["one"]["properties"]["data"], {name: row[name] for name in row if name != "color"})
