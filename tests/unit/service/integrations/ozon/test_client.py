import pytest

from service.integrations.http.errors import (
    Forbidden,
    NotFound,
    Rejected,
    SubscriptionMissing,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    Unreadable,
)
from service.integrations.ozon.client import ozon_api, post, rate_limit_of
from tests.support.ozon_stub import API_KEY, CLIENT_ID

REFUSALS = [
    (403, 7, "Invalid Api-Key, please contact support", Unauthorized, "OZON_API_KEY"),
    (401, 16, "Invalid Api-Key, please check the key and try again", Unauthorized, "OZON_CLIENT_ID"),
    (403, 7, "Api-key is deactivated, use another one or generate a new one", Unauthorized, "make a new key"),
    (403, 7, "Api-Key has expired", Unauthorized, "make a new key"),
    (401, 16, "Client-Id and Api-Key headers are required", Unauthorized, "set OZON_CLIENT_ID and OZON_API_KEY"),
    (401, None, "who are you", Unauthorized, "It says: who are you"),
    (400, 16, "who are you", Unauthorized, "OZON_API_KEY"),
    (403, 7, "Api-Key is missing a required role for a method", Forbidden, "set OZON_API_KEY"),
    (403, 7, "Api-Key is restricted to specific IP addresses", Forbidden, "allow this machine's address"),
    (403, 7, "Company is blocked, please contact support", Forbidden, "OZON_CLIENT_ID"),
    (403, 7, "something new", Forbidden, "It says: something new"),
    (400, 7, "something new", Forbidden, "OZON_API_KEY"),
    (
        403,
        7,
        "s.CheckSellerReviewAccess: rpc error: code = PermissionDenied desc = not available with existing subscription",
        SubscriptionMissing,
        "subscription",
    ),
    (404, 5, "review not found", NotFound, "review not found"),
    (404, 5, "entity not found", NotFound, "entity not found"),
    (404, None, "review not found", NotFound, "review not found"),
    (404, None, "page not found", Rejected, "OZON_API_URL"),
    (403, 7, "Method is not allowed", Rejected, "OZON_API_URL"),
    (400, None, "method is not allowed", Rejected, "no such method"),
    (403, 7, "token must be issued for seller, not oauth-client", Unauthorized, "OZON_API_KEY"),
    (400, 3, "obsolete method cannot be used", Rejected, "the service must be updated"),
    (400, 3, "Request validation error: invalid Limit", Rejected, "with 400. It says: Request validation error"),
    (409, None, "conflict", Rejected, "409"),
]


@pytest.fixture
def ask(ozon, ozon_client):
    return lambda **how: post(ozon_client, "/v2/review/list", {"limit": 100}, **how)


def refusal_of(ask):
    with pytest.raises(Rejected) as refused:
        ask()
    return refused.value


def test_a_call_is_a_post_with_the_accounts_two_headers(ozon, ask):
    ozon.enqueue({"reviews": []})

    answer = ask()

    assert answer == {"reviews": []}
    assert ozon.requests == [("/v2/review/list", {"limit": 100})]
    assert ozon.headers[0]["Client-Id"] == CLIENT_ID
    assert ozon.headers[0]["Api-Key"] == API_KEY
    assert ozon.headers[0]["Content-Type"] == "application/json"


def test_an_account_is_called_once_a_second(ozon, ozon_clock, ask):
    ozon.enqueue({}, {}, {})

    for _ in range(3):
        ask()

    assert ozon_clock.waits == [(1.0, "pace"), (1.0, "pace")]


def test_accounts_are_paced_apart_and_their_numbers_are_not_shown():
    one, other = (rate_limit_of(ozon_api("http://ozon", client_id, API_KEY)) for client_id in ("123456", "654321"))

    assert one.key != other.key
    assert one.key.startswith("ozon:")
    assert len(one.key) == len("ozon:") + 8
    assert "123456" not in one.key
    assert (one.interval, one.burst) == (1.0, 1)


@pytest.mark.parametrize(("status", "code", "message", "error", "sentence"), REFUSALS)
def test_a_refusal_is_told_by_what_it_says_and_names_what_to_do(ozon, ask, status, code, message, error, sentence):
    ozon.refuse(status, code, message)

    refused = refusal_of(ask)

    assert type(refused) is error
    assert sentence in str(refused)
    assert len(ozon.requests) == 1


def test_a_path_that_does_not_exist_is_no_proof_that_a_review_does_not(ozon, ask):
    ozon.enqueue("404 page not found", status=404)

    refused = refusal_of(ask)

    assert type(refused) is Rejected
    assert "OZON_API_URL" in str(refused)


@pytest.mark.parametrize("body", ["<html>Access denied</html>", "", "[]", '{"message": {"text": 1}, "code": "7"}'])
def test_an_answer_that_is_not_ozons_is_not_repeated_in_the_sentence(ozon, ask, body):
    ozon.enqueue(body, status=403)

    refused = refusal_of(ask)

    assert type(refused) is Forbidden
    assert str(refused).endswith("cabinet." if body != "[]" else "cabinet. It says: []")


def test_a_long_message_is_cut(ozon, ask):
    ozon.refuse(400, 3, "x\n y" * 1000)

    assert str(refusal_of(ask)) == f"Ozon refused the call with 400. It says: {('x y' * 1000)[:200]}"


def test_a_message_that_repeats_the_key_is_shown_without_it(ozon, ask):
    ozon.refuse(400, 3, "y" * 180 + f" key {API_KEY.upper()} and {API_KEY}")

    sentence = str(refusal_of(ask)).lower()

    assert API_KEY[:8] not in sentence
    assert "key … and …" in sentence


def test_without_a_key_a_message_is_shown_as_it_is(ozon, ask, ozon_client):
    keyless = ozon_api(ozon.url, CLIENT_ID, "")
    ozon_client.api = keyless
    ozon.refuse(400, 3, "no key")

    assert "It says: no key" in str(refusal_of(ask))


@pytest.mark.parametrize("name", ["retry-after", "Retry-After", "ratelimit-reset", "RateLimit-Reset"])
def test_a_wait_that_is_asked_for_is_kept(ozon, ozon_clock, ask, name):
    ozon.refuse(429, 8, "You have reached request rate limit per second", **{name: "7"})
    ozon.enqueue({})

    ask()

    assert ozon_clock.waits == [(7.0, "pace")]


def test_a_moment_in_a_header_for_seconds_does_not_silence_the_account(ozon, ozon_clock, ask):
    ozon.refuse(429, 8, "rate limit exceeded", **{"ratelimit-reset": "1795430000"})
    ozon.enqueue({})

    ask()

    assert sum(seconds for seconds, _ in ozon_clock.waits) < 10


@pytest.mark.parametrize("status", [429, 400])
def test_too_many_is_told_by_the_code_as_well(ozon, ask, status):
    ozon.refuse(status, 8, "rate limit exceeded for `seller-api` client, current max rate per sec.: 2")
    ozon.enqueue({"reviews": []})

    assert ask() == {"reviews": []}


def test_an_open_circuit_breaker_is_waited_for_a_little_longer_each_time(ozon, ozon_clock, ask):
    ozon.enqueue(*["Circle is open"] * 3, status=429, retry_after="0")
    ozon.enqueue({})

    ask()

    backoffs = [seconds for seconds, why in ozon_clock.waits if why == "backoff"]
    assert len(backoffs) == 3
    assert backoffs == sorted(backoffs)


def test_a_circuit_breaker_that_stays_open_is_given_up_within_the_patience(ozon, ozon_clock, ask):
    ozon.enqueue(*["Circle is open"] * 30, status=429)

    with pytest.raises(TooManyRequests) as refused:
        ask(patience=60.0)

    assert refused.value.retry_after is None
    assert sum(seconds for seconds, _ in ozon_clock.waits) <= 60


def test_a_page_of_html_with_status_200_is_asked_for_again(ozon, ask):
    ozon.enqueue("<html>Maintenance</html>", '["no object"]', {"reviews": []})

    assert ask() == {"reviews": []}


def test_what_writes_is_not_sent_again_when_it_may_have_arrived(ozon, ask):
    ozon.enqueue("<html>Maintenance</html>")

    with pytest.raises(Unreadable) as failed:
        ask(repeatable=False)

    assert failed.value.may_have_applied
    assert len(ozon.requests) == 1


def test_a_server_error_is_tried_again_and_then_said(ozon, ask):
    ozon.enqueue(*["<html>Bad gateway</html>"] * 5, status=502)

    with pytest.raises(Unreachable, match="502"):
        ask()

    assert len(ozon.requests) == 5
