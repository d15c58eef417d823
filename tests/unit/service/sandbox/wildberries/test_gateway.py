import base64
import json
from datetime import timedelta

import pytest

from service.sandbox.credentials import BASE, PERSONAL, SERVICE, TEST, WB_CLIENT_SECRET, wb_token
from tests.support.wildberries_sandbox import ANSWER, LIST, ORDERS, ROOT, WildberriesSeller

FEEDBACKS_PING = "/wb-feedbacks/ping"
STATISTICS_PING = "/wb-statistics/ping"
COUNT = f"{ROOT}/feedbacks/count-unanswered"
ON_FEEDBACKS, ON_STATISTICS = 1 << 7, 1 << 5


@pytest.fixture
def shop(make_environment, make_client, clock):
    return WildberriesSeller(make_environment(), make_client, clock)


def with_token(token):
    return {"Authorization": token}


def tampered(token, part, value):
    parts = token.split(".")
    parts[part] = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return ".".join(parts)


def claims_of(**changed):
    _, claims, _ = wb_token().split(".")
    return json.dumps({**json.loads(base64.urlsafe_b64decode(claims + "==")), **changed}).encode()


@pytest.mark.parametrize("form", ["{}", "Bearer {}"])
def test_a_token_is_taken_raw_and_as_a_bearer(shop, form):
    answer = shop.client.get(FEEDBACKS_PING, headers=with_token(form.format(wb_token())))

    assert answer.status_code == 200
    assert answer.json() == {"TS": "2026-11-24T15:00:00+03:00", "Status": "OK"}


@pytest.mark.parametrize("path", [FEEDBACKS_PING, LIST, ANSWER, STATISTICS_PING, ORDERS])
def test_no_method_works_without_a_token(shop, path):
    del shop.client.headers["Authorization"]

    answer = shop.client.request("POST" if path == ANSWER else "GET", path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "empty Authorization header"


def test_a_refused_token_is_explained_by_the_gateway(shop):
    answer = shop.client.get(ORDERS, headers=with_token("nonsense"))

    body = answer.json()
    assert answer.status_code == 401
    assert body["title"] == "unauthorized"
    assert body["detail"] == "token problem; token is malformed: token contains an invalid number of segments"
    assert (body["status"], body["statusText"]) == (401, "Unauthorized")
    assert body["timestamp"] == "2026-11-24T12:00:00Z"
    assert body["origin"] == "s2s-api-auth-stat"
    assert len(body["requestId"]) == 32
    assert len(body["code"].split()) == 2


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        (tampered(wb_token(), 0, b"no json"), "token problem; token is malformed: could not JSON decode header"),
        (tampered(wb_token(), 1, b"[1]"), "token problem; token is malformed: could not JSON decode claims"),
        (
            tampered(wb_token(), 1, claims_of(exp="soon")),
            "token problem; token is malformed: could not JSON decode claims",
        ),
        (tampered(wb_token(), 2, b"forged"), "token problem; token signature is invalid"),
        (wb_token(token_id="another"), "access token token withdrawn"),
        (wb_token(expires=1_795_521_600), "token expired"),  # this very second
        (wb_token(TEST), "token scope not allowed"),
        (tampered(wb_token(), 1, claims_of(t=True)), "token scope not allowed"),
        (wb_token(scopes=ON_STATISTICS), "token scope not allowed"),
    ],
)
def test_each_fault_of_a_token_has_its_detail(shop, token, detail):
    answer = shop.client.get(FEEDBACKS_PING, headers=with_token(token))

    assert (answer.status_code, answer.json()["detail"]) == (401, detail)


def test_a_token_is_good_until_the_second_in_which_it_expires(shop, clock):
    token = with_token(wb_token(expires=1_795_521_660))

    before = shop.client.get(FEEDBACKS_PING, headers=token)
    clock.advance(timedelta(minutes=1))
    after = shop.client.get(FEEDBACKS_PING, headers=token)

    assert (before.status_code, after.status_code) == (200, 401)


def test_a_token_of_one_category_opens_one_host(shop):
    token = with_token(wb_token(scopes=ON_FEEDBACKS))

    assert shop.client.get(FEEDBACKS_PING, headers=token).status_code == 200
    assert shop.client.get(STATISTICS_PING, headers=token).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{ROOT}/reviews"),
        ("PATCH", LIST),  # as answers were sent once
        ("DELETE", ANSWER),
        ("GET", f"{LIST}/"),
        ("GET", "/wb-statistics/"),
    ],
)
def test_a_wrong_url_is_a_404_of_the_gateway(shop, method, path):
    answer = shop.client.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "title": "path not found",
        "detail": "Please consult the https://dev.wildberries.ru/openapi/api-information",
        "status": 404,
        "statusText": "Not Found",
        "timestamp": "2026-11-24T12:00:00Z",
    }


@pytest.mark.parametrize("kind", [PERSONAL, SERVICE])
def test_six_calls_at_once_and_one_more_after_a_third_of_a_second(shop, clock, kind):
    token = with_token(wb_token(kind))

    burst = [shop.client.get(COUNT, headers=token) for _ in range(7)]
    clock.advance(timedelta(seconds=float(burst[6].headers["X-Ratelimit-Retry"])))
    later = [shop.client.get(COUNT, headers=token).status_code for _ in range(2)]

    assert [answer.status_code for answer in burst] == [200] * 6 + [429]
    assert [answer.headers.get("X-Ratelimit-Remaining") for answer in burst] == ["5", "4", "3", "2", "1", "0", None]
    assert burst[6].headers["X-Ratelimit-Retry"] == "0.333"
    assert later == [200, 429]


def test_a_call_too_many_is_told_who_is_limited_and_how_long_to_wait(shop):
    token = with_token(wb_token(BASE))
    shop.client.get(COUNT, headers=token)

    answer = shop.client.get(COUNT, headers=token)

    body = answer.json()
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert {name: answer.headers[f"X-Ratelimit-{name}"] for name in ("Retry", "Reset", "Limit")} == {
        "Retry": "720",
        "Reset": "720",
        "Limit": "1",
    }
    assert (body["title"], body["status"], body["statusText"]) == ("too many requests", 429, "Too Many Requests")
    assert body["detail"].startswith("Limited by global limiter, per seller 3f2b6c1e-0000-4000-8000-5d1e2a3b4c5d; See ")
    assert "retry-after" not in answer.headers


def test_all_methods_of_the_reviews_share_one_bucket(shop):
    calls = [
        shop.list(),
        shop.client.get(f"{ROOT}/feedback", params={"id": "unknown"}),
        shop.client.get(f"{LIST}/count"),
        shop.client.get(f"{LIST}/archive", params={"take": 1, "skip": 0}),
        shop.client.get(f"{ROOT}/new-feedbacks-questions"),
        shop.answer("unknown"),
        shop.edit("unknown", "Спасибо!"),
    ]

    assert [call.status_code for call in calls] == [200, 422, 200, 200, 200, 204, 429]
    assert calls[5].headers["X-Ratelimit-Remaining"] == "0"


def test_each_kind_of_token_has_a_bucket_of_its_own(shop):
    by_base = [shop.client.get(COUNT, headers=with_token(wb_token(BASE))).status_code for _ in range(2)]
    by_personal = shop.client.get(COUNT, headers=with_token(wb_token(PERSONAL)))

    assert by_base == [200, 429]
    assert by_personal.status_code == 200


def test_a_base_token_reads_orders_once_in_three_hours(shop, clock):
    token = with_token(wb_token(BASE))
    call = {"url": ORDERS, "params": {"dateFrom": "2026-11-24"}, "headers": token}

    first, second = shop.client.get(**call), shop.client.get(**call)
    clock.advance(timedelta(hours=3))
    third = shop.client.get(**call)

    assert [answer.status_code for answer in (first, second, third)] == [200, 429, 200]
    assert second.headers["X-Ratelimit-Retry"] == "10800"


def test_any_other_token_reads_orders_ten_times_and_then_each_minute(shop, clock):
    call = {"url": ORDERS, "params": {"dateFrom": "2026-11-24"}}

    burst = [shop.client.get(**call) for _ in range(11)]
    clock.advance(timedelta(minutes=1))
    later = [shop.client.get(**call).status_code for _ in range(2)]

    assert [answer.status_code for answer in burst] == [200] * 10 + [429]
    assert [burst[10].headers[f"X-Ratelimit-{name}"] for name in ("Retry", "Reset", "Limit")] == ["60", "600", "10"]
    assert later == [200, 429]


def test_a_ping_has_a_limit_of_its_own_on_each_host(shop, clock):
    pings = [shop.client.get(FEEDBACKS_PING).status_code for _ in range(4)]
    elsewhere = shop.client.get(STATISTICS_PING).status_code
    clock.advance(timedelta(seconds=10))
    later = shop.client.get(FEEDBACKS_PING).status_code

    assert pings == [200, 200, 200, 429]
    assert (elsewhere, later) == (200, 200)
    assert shop.list().headers["X-Ratelimit-Remaining"] == "5"


def test_limits_can_be_switched_off(make_environment, make_client, clock):
    shop = WildberriesSeller(make_environment(wb_limits=False), make_client, clock)

    answers = [shop.list() for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}
    assert "X-Ratelimit-Remaining" not in answers[0].headers


def test_a_base_token_with_its_secret_has_the_limits_of_the_others(shop):
    secret = {"X-Client-Secret": WB_CLIENT_SECRET}
    token = with_token(wb_token(BASE))

    without = [shop.client.get(COUNT, headers=token).status_code for _ in range(2)]
    with_secret = [shop.client.get(COUNT, headers=token | secret).status_code for _ in range(7)]

    assert (without, with_secret) == ([200, 429], [200] * 6 + [429])


def test_a_wrong_secret_is_a_401_that_says_so(shop):
    answer = shop.client.get(COUNT, headers={"X-Client-Secret": "another-secret-0000"})

    assert (answer.status_code, answer.json()["detail"]) == (401, "client secret is invalid")


def test_a_base_token_can_be_refused_without_its_secret(make_environment, make_client, clock):
    shop = WildberriesSeller(make_environment(wb_base_secret=True), make_client, clock)
    token, secret = with_token(wb_token(BASE)), {"X-Client-Secret": WB_CLIENT_SECRET}

    refused = shop.client.get(COUNT, headers=token)

    assert refused.status_code == 403
    assert refused.json()["detail"] == "base token without secret is not allowed for this path"
    assert shop.client.get(COUNT, headers=token | secret).status_code == 200
    assert shop.client.get(COUNT).status_code == 200
