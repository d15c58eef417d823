"""How long a draft waits for the rate limit and for retries, and when it gives up."""

import pytest

from service.integrations.http.errors import RateLimited, Rejected, TooManyRequests, Unreachable
from service.integrations.http.rate_limiter import RateLimit, RateLimiter, Reservation

LIMIT = RateLimit("openai:test", interval=0.5)


class Clock:
    """A clock that moves when the drafter waits."""

    def __init__(self):
        self.now = 1_795_430_000.0
        self.waits = []

    def __call__(self):
        return self.now

    def wait(self, seconds, reason):
        self.waits.append((pytest.approx(seconds, abs=0.001), reason))
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def paced(draft, sqlite_engine, clock):
    """Drafts by the real rate limiter, one call each half a second."""
    rate_limiter = RateLimiter(sqlite_engine, clock)
    return lambda **options: draft(rate_limiter=rate_limiter, limit=LIMIT, wait=clock.wait, **options)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "17"}, 17.0),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"x_ratelimit_reset_requests": "20s", "x_ratelimit_reset_tokens": "0s"}, 20.0),
    ],
)
def test_a_429_waits_as_long_as_its_headers_say(openai, paced, clock, headers, seconds):
    openai.refuse(429, "rate_limit_exceeded", {"type": "requests"}, **headers)
    openai.answer()

    found = paced()

    assert found.outcome == "drafted"
    assert clock.waits == [(seconds, "pace")]


def test_drafts_come_no_faster_than_the_limit(openai, paced, clock):
    openai.answer()

    paced(), paced()

    assert clock.waits == [(0.5, "pace")]


def test_a_wait_beyond_the_patience_is_a_pause_for_everybody(openai, paced, clock):
    openai.refuse(429, "rate_limit_exceeded", retry_after="61")

    with pytest.raises(RateLimited, match="OpenAI may be called again at"):
        paced()
    with pytest.raises(RateLimited):
        paced()

    assert len(openai.requests) == 1
    assert clock.waits == []


def test_waits_add_up_to_the_patience(openai, paced, clock):
    openai.refuse(429, "rate_limit_exceeded", retry_after="4")

    with pytest.raises(RateLimited):
        paced(patience=7.0)

    assert clock.waits == [(4.0, "pace")]
    assert len(openai.requests) == 2


def test_the_last_refusal_also_holds_for_others(openai, draft, rate_limiter):
    openai.refuse(429, "rate_limit_exceeded", retry_after="3")

    with pytest.raises(TooManyRequests):
        draft()

    assert rate_limiter.blocks == [3.0, 3.0, 3.0]


def test_a_failure_that_names_no_time_is_tried_again_a_little_later_each_time(openai, draft, waits, rate_limiter):
    openai.send(500, b"")
    openai.refuse(429, "rate_limit_exceeded")
    openai.answer()

    found = draft()

    assert found.outcome == "drafted"
    assert [reason for _, reason in waits] == ["backoff", "backoff"]
    assert 0.75 <= waits[0][0] <= 1.0
    assert 1.5 <= waits[1][0] <= 2.0
    assert rate_limiter.blocks == []


def test_a_backoff_beyond_the_patience_gives_up(openai, draft, waits):
    openai.send(500, b"")

    with pytest.raises(Unreachable):
        draft(patience=0.5)

    assert (len(openai.requests), waits) == (1, [])


def test_backoffs_add_up_to_the_patience(openai, draft, waits):
    openai.send(500, b"")

    with pytest.raises(Unreachable):
        draft(patience=2.0)

    assert [reason for _, reason in waits] == ["backoff"]  # the second would take a second and a half
    assert len(openai.requests) == 2


def test_a_server_in_trouble_is_waited_for_as_long_as_it_says(openai, draft, rate_limiter, waits):
    openai.refuse(503, "server_is_overloaded", retry_after="5")
    openai.answer()

    draft()

    assert (rate_limiter.blocks, waits) == ([5.0], [])  # the rate limiter makes it wait


def test_openai_may_say_that_there_is_no_sense_in_trying_again(openai, draft):
    openai.send(500, b"", x_should_retry="false")

    with pytest.raises(Unreachable):
        draft()

    assert len(openai.requests) == 1


def test_openai_may_say_that_there_is_sense_in_trying_again(openai, draft):
    openai.refuse(400, "odd", x_should_retry="true")
    openai.answer()

    assert draft().outcome == "drafted"


def test_a_word_that_is_neither_is_not_obeyed(openai, draft):
    openai.refuse(400, "odd", x_should_retry="perhaps")

    with pytest.raises(Rejected):
        draft()

    assert len(openai.requests) == 1


class Stopping(Exception):
    """The service stops."""


def test_a_wait_that_is_cut_short_ends_the_draft(openai, draft, counted):
    class Taken:
        def reserve(self, limit, patience):
            return Reservation(1.0, granted=True)

    def stop(seconds, reason):
        raise Stopping

    with pytest.raises(Stopping):
        draft(rate_limiter=Taken(), wait=stop)

    assert openai.requests == []
    assert counted("advice_drafts_total") == {}
