import socket
import time
from datetime import timedelta

import pytest

from service.integrations.http.client import MAX_FAILURES, MAX_WAIT_SECONDS, ApiCall, ApiDescription
from service.integrations.http.errors import RateLimited, Rejected, TooManyRequests, Unreachable, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from tests.support.loopback import CUT, HUNG_UP, response
from tests.support.wildberries_payloads import LIMIT, TOKEN

READ = ApiCall("GET", "/things", LIMIT, {"skip": 0, "answered": True})
WRITE = ApiCall("POST", "/things", LIMIT, json={"text": "да"}, repeatable=False)
ONE_A_MINUTE = RateLimit("wb:minute", 60.0)


@pytest.fixture
def client(api, client_of):
    return client_of(api)


@pytest.fixture
def nobody():
    """An API at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield ApiDescription("wb", f"http://127.0.0.1:{taken.getsockname()[1]}", {}, lambda _answer: Rejected("no"))


def test_a_call_says_what_it_was_told_to_and_gives_back_what_was_answered(client, server):
    server.enqueue(response({"fine": True}, x_ratelimit_remaining="5"), response(status=204))

    answer, written = client.call(READ), client.call(WRITE)

    read, wrote = server.requests
    assert (answer.status, answer.object(), answer.headers["X-Ratelimit-Remaining"]) == (200, {"fine": True}, "5")
    assert (read.method, read.path, read.query) == ("GET", "/things", {"skip": "0", "answered": "true"})
    assert (read.headers["authorization"], read.body) == (TOKEN, None)
    assert (written.status, written.text()) == (204, "")
    assert (wrote.method, wrote.query, wrote.body) == ("POST", {}, {"text": "да"})


def test_what_is_in_braces_is_filled_and_the_slash_between_is_one(server, client_of):
    server.enqueue(response("fine"))
    client = client_of(ApiDescription("wb", server.url + "/under/", {}, lambda _answer: Rejected("no")))

    assert client.call(ApiCall("GET", "/bot{token}/getMe", LIMIT, path={"token": "123:ABC"})).text() == "fine"

    assert server.paths == ["/under/bot123:ABC/getMe"]


@pytest.mark.parametrize(
    "broken", [response(status=500), response("<html>", status=502), response(status=503), HUNG_UP, CUT]
)
def test_a_read_is_repeated_until_it_is_answered(client, server, clock, broken):
    server.enqueue(broken, broken, response("fine"))

    assert client.call(READ).text() == "fine"

    assert len(server.requests) == 3
    assert [why for _, why in clock.waits] == ["backoff", "backoff"]


@pytest.mark.parametrize("broken", [response(status=500), HUNG_UP, CUT])
def test_a_write_that_may_have_arrived_is_not_repeated(client, server, broken):
    server.enqueue(broken, response("fine"))

    with pytest.raises(Unreachable) as failed:
        client.call(WRITE)

    assert failed.value.may_have_applied
    assert len(server.requests) == 1


def test_a_write_that_nobody_took_is_repeated(nobody, client_of, clock):
    with pytest.raises(Unreachable, match=r"^wb is unavailable: /things failed \(ConnectError\)\.$") as failed:
        client_of(nobody).call(WRITE)

    assert not failed.value.may_have_applied
    assert [why for _, why in clock.waits] == ["backoff"] * (MAX_FAILURES - 1)


def test_a_write_that_was_too_much_is_repeated(client, server):
    server.enqueue(response(status=429, x_ratelimit_retry="1"), response(status=204))

    assert client.call(WRITE).status == 204


def test_what_fails_for_ever_is_given_up_and_waited_for_longer_each_time(client, server, clock):
    server.script = lambda _asked: response(status=500)

    with pytest.raises(Unreachable, match=r"^wb answered /things with 500\.$"):
        client.call(READ)

    assert len(server.requests) == MAX_FAILURES
    for expected, (seconds, _) in zip((1, 2, 4, 8), clock.waits, strict=True):
        assert 0.75 * expected <= seconds <= expected


def test_what_is_refused_is_not_asked_again(client, server, clock):
    server.enqueue(response(status=400))

    with pytest.raises(Rejected):
        client.call(READ)

    assert (len(server.requests), clock.waits) == (1, [])


def test_a_redirect_is_not_followed(client, server):
    server.enqueue(response(status=302, location="/elsewhere"))

    with pytest.raises(Rejected, match="302"):
        client.call(READ)

    assert server.paths == ["/things"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"x_ratelimit_retry": "0.4"}), (429, {"retry_after": "0.4"}), (503, {"retry_after": "0.4"})],
)
def test_exactly_as_long_as_the_service_asks_is_waited(client, server, clock, status, headers):
    server.enqueue(response(status=status, **headers), response("fine"))

    assert client.call(READ).text() == "fine"

    assert clock.waits == [(0.4, "pace")]


def test_the_services_own_header_comes_before_the_common_one(client, server, clock):
    server.enqueue(response(status=429, x_ratelimit_retry="3", retry_after="50"), response("fine"))

    client.call(READ)

    assert clock.waits == [(3.0, "pace")]


@pytest.mark.parametrize("nonsense", ["", "soon", "-1", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_absent_or_nonsense_is_a_backoff(client, server, clock, nonsense):
    server.enqueue(response(status=429, x_ratelimit_retry=nonsense), response("fine"))

    assert client.call(READ).text() == "fine"

    [(seconds, why)] = clock.waits
    assert (0.75 <= seconds <= 1.0, why) == (True, "backoff")


def test_a_wait_beyond_the_patience_is_not_waited_and_nobody_else_calls_meanwhile(
    client, server, client_of, api, clock
):
    server.enqueue(response(status=429, x_ratelimit_retry="301"), response("fine"))

    with pytest.raises(RateLimited) as paused:
        client.call(READ)
    with pytest.raises(RateLimited):
        client_of(api).call(READ)

    assert (len(server.requests), clock.waits) == (1, [])
    assert paused.value.retryable
    assert not paused.value.may_have_applied
    clock.moment += timedelta(seconds=301)
    assert client_of(api).call(READ).text() == "fine"


def test_all_the_waits_of_a_call_together_are_within_its_patience(client, server, clock):
    server.script = lambda _asked: response(status=429, x_ratelimit_retry="40")

    with pytest.raises(RateLimited):
        client.call(READ)

    assert sum(seconds for seconds, _ in clock.waits) == 280
    assert len(server.requests) == 8


def test_backoffs_are_within_the_patience_too(client, server, clock):
    server.script = lambda _asked: response(status=429)

    with pytest.raises(TooManyRequests, match=r"^wb asks to wait: too many requests\.$"):
        client.call(READ)

    assert MAX_WAIT_SECONDS - 31 < sum(seconds for seconds, _ in clock.waits) <= MAX_WAIT_SECONDS


def test_a_call_may_be_less_patient_than_its_client(client, server, clock):
    server.enqueue(response(status=429, x_ratelimit_retry="3"))

    with pytest.raises(RateLimited):
        client.call(READ, patience=2)

    assert clock.waits == []


def test_a_service_that_only_says_not_now_is_asked_a_bounded_number_of_times(client, server):
    server.script = lambda _asked: response(status=429, x_ratelimit_retry="0")

    with pytest.raises(TooManyRequests):
        client.call(READ)

    assert len(server.requests) == 30


def test_refusals_for_now_are_not_failures(client, server):
    server.enqueue(*[response(status=429, x_ratelimit_retry="1")] * 10, response(status=500), response("fine"))

    assert client.call(READ).text() == "fine"


def test_the_next_call_begins_when_it_is_its_turn(client, server, clock):
    server.script = lambda _asked: response("fine")

    for _ in range(3):
        client.call(ApiCall("GET", "/things", ONE_A_MINUTE))

    assert clock.waits == [(60.0, "pace"), (60.0, "pace")]


def test_a_service_that_stops_does_not_wait_to_the_end(api, server, client_of):
    class Stopped(BaseException):
        pass

    def stop(_seconds, _why):
        raise Stopped

    server.enqueue(response(status=429, x_ratelimit_retry="3"), response("fine"))

    with pytest.raises(Stopped):
        client_of(api, wait=stop).call(READ)

    assert len(server.requests) == 1


def test_what_is_checked_in_an_answer_is_raised_and_repeated_as_any_error(server, client_of, api):
    server.enqueue(response("wrong"), response("fine"))

    def check(answer):
        if answer.text() == "wrong":
            raise Unreadable("wb is wrong.")

    assert client_of(ApiDescription("wb", server.url, {}, api.error_from, check)).call(READ).text() == "fine"


def test_a_proxy_of_the_environment_is_gone_through_but_for_loopback(server, nobody, client_of, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    server.enqueue(response("by proxy"))

    assert client_of(elsewhere()).call(READ).text() == "by proxy"
    with pytest.raises(Unreachable):
        client_of(nobody).call(READ)

    assert len(server.requests) == 1


def test_an_error_names_the_proxy_without_its_password(client_of, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", f"http://user:canary-12345@{proxy}")

        with pytest.raises(Unreachable) as failed:
            client_of(elsewhere()).call(READ)

    assert str(failed.value) == f"wb is unavailable: /things failed (ConnectError) through the proxy http://{proxy}."


def elsewhere():
    return ApiDescription("wb", "http://wb.example", {}, lambda _answer: Rejected("no"))


def test_the_deadline_is_one_for_the_whole_answer(client, server):
    server.enqueue(response("fine"))
    began = time.monotonic()

    client.call(ApiCall("GET", "/things", LIMIT, timeout=5.0))

    assert time.monotonic() - began < 5.0


def test_a_call_and_an_api_show_no_secret(api):
    call = ApiCall("GET", "/bot{token}/getMe", LIMIT, path={"token": TOKEN})

    assert TOKEN not in f"{call!r} {call} {api!r} {api}"
