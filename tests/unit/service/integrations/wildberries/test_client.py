import json

import pytest

from service.integrations.http.client import MAX_FAILURES, ApiCall
from service.integrations.http.errors import (
    Forbidden,
    Misconfigured,
    NotFound,
    RateLimited,
    Rejected,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from service.integrations.wildberries.client import feedbacks_api, statistics_api
from tests.support.loopback import response
from tests.support.wildberries_payloads import LIMIT, TOKEN

READ = ApiCall("GET", "/api/v1/feedbacks", LIMIT)
WITHDRAWN = {"title": "unauthorized", "detail": "access token token withdrawn", "status": 401}
NOT_ALLOWED = {"title": "forbidden", "detail": "base token is not allowed"}
OTHER_SHAPE = {"data": None, "error": True, "errorText": "Ошибка авторизации", "additionalErrors": None}
NOT_LET = "wb forbids this to the token: check the kind and categories of WB_API_TOKEN"
LIMITED = {"title": "too many requests", "detail": "Limited by global limiter", "status": 429}


@pytest.fixture(params=[feedbacks_api, statistics_api])
def client(request, server, client_of):
    return client_of(request.param(server.url, TOKEN))


@pytest.fixture
def feedbacks(server, client_of):
    return client_of(feedbacks_api(server.url, TOKEN))


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (
            401,
            WITHDRAWN,
            Unauthorized,
            "wb does not accept the token: check WB_API_TOKEN (401: access token token withdrawn).",
        ),
        (402, {"title": "payment required"}, Forbidden, "wb requires a payment for this (402: no reason given)."),
        (
            403,
            NOT_ALLOWED,
            Forbidden,
            f"{NOT_LET} (403: base token is not allowed).",
        ),
        (
            403,
            OTHER_SHAPE,
            Forbidden,
            f"{NOT_LET} (403: Ошибка авторизации).",
        ),
        (
            404,
            {"title": "path not found", "detail": "Please consult the manual"},
            Misconfigured,
            "wb has no such method: check WB_FEEDBACKS_URL and WB_STATISTICS_URL (404: Please consult the manual).",
        ),
        (
            422,
            OTHER_SHAPE | {"errorText": "Невозможно получить отзыв по id"},
            NotFound,
            "wb has no object with that id (422: Невозможно получить отзыв по id).",
        ),
        (
            400,
            {"errors": ["dateFrom: field required", "flag: no number"]},
            Rejected,
            "wb refuses the request (400: dateFrom: field required flag: no number).",
        ),
        (
            400,
            {"errors": "dateFrom: Value not validated"},
            Rejected,
            "wb refuses the request (400: dateFrom: Value not validated).",
        ),
        (400, "<html>Bad</html>", Rejected, "wb refuses the request (400: no reason given)."),
        (400, ["no", "object"], Rejected, "wb refuses the request (400: no reason given)."),
        (418, "", Rejected, "wb refuses the request (418: no reason given)."),
    ],
)
def test_a_refusal_says_what_it_means_and_is_not_hammered_on(client, server, clock, status, body, kind, sentence):
    server.enqueue(response(body, status=status))

    with pytest.raises(kind) as refused:
        client.call(READ)

    assert (type(refused.value), str(refused.value)) == (kind, sentence)
    assert not refused.value.retryable
    assert (len(server.requests), clock.waits) == (1, [])


def test_an_error_with_status_200_is_an_error(feedbacks, server):
    server.script = lambda _asked: response({"data": None, "error": True, "errorText": "Something went wrong"})

    with pytest.raises(Unreachable, match=r"^wb answered with an error: Something went wrong\.$") as failed:
        feedbacks.call(READ)

    assert failed.value.retryable
    assert len(server.requests) == MAX_FAILURES


@pytest.mark.parametrize("body", [{"error": False, "data": 1}, {"data": 1}, [], "", {"error": "true"}, "<html>"])
def test_an_answer_without_an_error_is_an_answer(feedbacks, server, body):
    server.enqueue(response(body))

    assert feedbacks.call(READ).status == 200


def test_rows_with_an_error_of_their_own_are_no_error(server, client_of):
    server.enqueue(response({"error": True}))

    assert client_of(statistics_api(server.url, TOKEN)).call(READ).json() == {"error": True}


def test_too_many_requests_are_waited_for_and_nothing_is_lost(client, server, clock):
    server.enqueue(response(LIMITED, status=429, x_ratelimit_retry="7.5", x_ratelimit_reset="60"), response([1, 2]))

    assert client.call(READ).json() == [1, 2]

    assert clock.waits == [(7.5, "pace")]


def test_a_base_token_that_has_to_wait_for_hours_is_paused(client, server):
    server.enqueue(response(LIMITED, status=429, x_ratelimit_retry="10800"))

    with pytest.raises(RateLimited, match=r"^wb may be called again at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$"):
        client.call(READ)


def test_too_many_requests_say_how_long_to_wait():
    assert str(TooManyRequests("wb", 7.5)) == "wb asks to wait 7.5 s: too many requests."


@pytest.mark.parametrize(
    "said_of_it",
    [
        f"token problem; token is malformed: {TOKEN}",
        f"token={TOKEN}",
        [f"bad token {TOKEN}"],
        {"token": TOKEN},
    ],
)
@pytest.mark.parametrize("field", ["detail", "errorText", "errors"])
def test_a_token_that_is_echoed_stays_out_of_the_sentence(client, server, said_of_it, field):
    server.enqueue(response({field: said_of_it}, status=401))

    with pytest.raises(Unauthorized) as refused:
        client.call(READ)

    assert TOKEN[:40] not in repr(refused.value)
    assert "WB_API_TOKEN" in str(refused.value)


def test_an_echo_in_an_answer_of_status_200_stays_out_too(feedbacks, server):
    server.script = lambda _asked: response({"error": True, "errorText": f"bad token {TOKEN}"})

    with pytest.raises(Unreachable, match="bad token …"):
        feedbacks.call(READ)


def test_a_sentence_is_not_endless(client, server):
    server.enqueue(response({"detail": "слово " * 1000}, status=400))

    with pytest.raises(Rejected) as refused:
        client.call(READ)

    assert len(str(refused.value)) < 300


def test_the_token_is_sent_as_it_is(client, server):
    server.enqueue(response([]))

    client.call(READ)

    assert server.requests[0].headers["authorization"] == TOKEN
    assert json.dumps(TOKEN) not in repr(client.api)


@pytest.mark.parametrize("api", [feedbacks_api, statistics_api])
def test_the_secret_is_sent_beside_the_token_if_there_is_one(server, client_of, api):
    server.enqueue(response([]), response([]))
    with_secret, without = api(server.url, TOKEN, "the-secret-of-the-token"), api(server.url, TOKEN)

    for description in (with_secret, without):
        client_of(description).call(READ)

    assert [asked.headers.get("x-client-secret") for asked in server.requests] == ["the-secret-of-the-token", None]
    assert "the-secret" not in repr(with_secret)


@pytest.mark.parametrize(
    ("status", "detail", "kind"),
    [
        (403, "base token without secret is not allowed for this path", Forbidden),
        (401, "client secret is invalid", Unauthorized),
    ],
)
def test_a_secret_that_is_missing_or_wrong_names_its_variable(client, server, status, detail, kind):
    server.enqueue(response({"detail": detail}, status=status))

    with pytest.raises(kind, match=rf"check WB_CLIENT_SECRET \({status}: {detail}\)\.$"):
        client.call(READ)
