from datetime import timedelta

from service.sandbox.ozon.limits import MAX_REFUSALS

SECOND = timedelta(seconds=1)


def statuses(seller, calls):
    return [seller("/v1/roles").status_code for _ in range(calls)]


def test_over_the_limit_it_says_so_with_the_limit_and_the_wait(make_ozon):
    seller = make_ozon(ozon_per_second=2.0)

    assert statuses(seller, 2) == [200, 200]
    refused = seller("/v1/roles")

    assert (refused.status_code, refused.json()["code"]) == (429, 8)
    assert refused.json()["message"] == "rate limit exceeded for `seller-api` client, current max rate per sec.: 2"
    assert (refused.headers["ratelimit-remaining"], refused.headers["retry-after"]) == ("0", "1")


def test_each_answer_says_how_many_calls_remain(make_ozon):
    seller = make_ozon(ozon_per_second=3.0)

    served, invalid = seller("/v1/roles"), seller("/v2/review/list", {"limit": 1})

    assert (served.headers["ratelimit-remaining"], invalid.headers["ratelimit-remaining"]) == ("2", "1")


def test_who_waits_is_served(make_ozon, clock):
    seller = make_ozon(ozon_per_second=0.25)

    assert statuses(seller, 1) == [200]
    assert seller("/v1/roles").headers["retry-after"] == "4"
    clock.advance(4 * SECOND)

    assert statuses(seller, 2) == [200, 429]


def test_a_call_that_is_no_sellers_costs_nothing(make_ozon):
    seller = make_ozon(ozon_per_second=1.0)

    for _ in range(5):
        seller.client.post("/ozon/v1/roles", json={}, headers={"Client-Id": "1", "Api-Key": "2"})
        seller("/v9/nothing")

    assert statuses(seller, 1) == [200]


def test_the_circle_opens_for_who_goes_on_calling_and_closes_after_five_seconds(make_ozon, clock):
    seller = make_ozon(ozon_per_second=1.0)
    statuses(seller, 1)

    refused = [seller("/v1/roles") for _ in range(MAX_REFUSALS)]
    clock.advance(4.9 * SECOND)
    blocked = seller("/v1/roles")
    clock.advance(0.2 * SECOND)

    assert [answer.json()["code"] for answer in refused] == [8] * MAX_REFUSALS
    assert (blocked.status_code, blocked.text) == (429, "Circle is open")
    assert blocked.headers["content-type"].startswith("text/plain")
    assert statuses(seller, 1) == [200]


def test_the_circle_stays_closed_for_refusals_far_apart(make_ozon, clock):
    seller = make_ozon(ozon_per_second=0.001)
    statuses(seller, 1)

    for _ in range(MAX_REFUSALS):
        clock.advance(0.6 * SECOND)
        assert seller("/v1/roles").json()["code"] == 8

    assert seller("/v1/roles").json()["code"] == 8


def test_a_fault_of_too_many_calls_looks_like_the_real_one(make_ozon):
    response = make_ozon(ozon_per_second=2.0).fake.rate_limited(7)

    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert b'"code":8' in response.body
