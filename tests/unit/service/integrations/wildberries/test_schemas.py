"""What the client asks is what the public documentation allows."""

from collections import Counter

import pytest

from service.integrations.http.client import ApiCall
from service.integrations.wildberries.client import feedbacks_api, statistics_api
from service.integrations.wildberries.marketplace import WildberriesOrders, WildberriesReviews
from tests.support.loopback import response
from tests.support.wildberries_payloads import LIMIT, TOKEN, review
from tests.support.wildberries_schemas import REQUESTS, request_faults
from tests.support.wildberries_stub import Feedbacks, Statistics, answered, numbered, order_at, read


def all_faults(server):
    return [
        fault
        for asked in server.requests
        for fault in request_faults(asked.method, asked.path, asked.query, asked.body, asked.headers)
    ]


@pytest.mark.parametrize("secret", [None, "the-secret-of-a-base-token"])
def test_each_request_is_one_that_is_documented(server, client_of, clock, monkeypatch, secret):
    monkeypatch.setattr("service.integrations.wildberries.reviews.PAGE_SIZE", 5)
    feedbacks, statistics = feedbacks_api(server.url, TOKEN, secret), statistics_api(server.url, TOKEN, secret)
    reviews = WildberriesReviews(client_of(feedbacks), LIMIT, clock.now)
    orders = WildberriesOrders(client_of(statistics), LIMIT, clock.now)

    server.script = Feedbacks(*map(numbered, range(12)), *map(answered, range(20, 33)), archived=[review(3)["id"]])
    for source in [*reviews.unanswered, *reviews.history]:
        _, position = read(source)
        read(source, position)
    reviews.read(review(1)["id"])
    server.script = lambda _request: response(status=204)
    reviews.answer(review(1)["id"], "Спасибо!")
    reviews.correct(review(1)["id"], "Спасибо и ждём снова!")
    server.script = Statistics(*map(order_at, range(5)))
    for source in orders.sources():
        _, position = read(source)
        read(source, position)
    server.script = lambda _request: response({"TS": "2026-11-23T12:00:00+03:00", "Status": "OK"})
    client_of(feedbacks).call(ApiCall("GET", "/ping", LIMIT))

    assert all_faults(server) == []
    assert Counter((asked.method, asked.path) for asked in server.requests).keys() == REQUESTS.keys()
    assert {asked.headers.get("x-client-secret") for asked in server.requests} == {secret}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/api/v1/feedbacks", {"take": "5000", "skip": "0"}, None),
        ("GET", "/api/v1/feedbacks", {"isAnswered": "True", "take": "5000", "skip": "0"}, None),
        ("GET", "/api/v1/feedbacks", {"isAnswered": "true", "take": "5001", "skip": "0"}, None),
        ("GET", "/api/v1/feedbacks/archive", {"isAnswered": "true", "take": "1", "skip": "0"}, None),
        ("GET", "/api/v1/feedbacks/archive", {"take": "1", "skip": "200000"}, None),
        ("PATCH", "/api/v1/feedbacks", {}, {"id": "x", "text": "Спасибо!"}),
        ("POST", "/api/v1/feedbacks/answer", {}, {"id": "x", "text": "!"}),
        ("GET", "/api/v1/supplier/orders", {"dateFrom": "2026-11-20", "dateTo": "2026-11-21"}, None),
    ],
)
def test_a_request_that_is_not_documented_is_found(method, path, query, body):
    assert request_faults(method, path, query, body, {"authorization": TOKEN})
