import time
from email.utils import formatdate

import pytest

from service.integrations.openai.retry_after import retry_after

BOTH = {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "999999999"}, 86_400.0),
        ({"retry-after": "Thu, 01 Oct 2020 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 99 Oct 2020 00:00:00 GMT"}, None),
        ({"retry-after": "2", **BOTH}, 2.0),
        ({"retry-after": "soon", "x-ratelimit-reset-tokens": "8.64s"}, 8.64),
        ({"x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-reset-requests": "1h2m3s"}, 3723.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "6 minutes", "x-ratelimit-reset-tokens": "s"}, None),
        ({"x-ratelimit-reset-requests": "72h0m0s"}, 86_400.0),
    ],
)
def test_the_first_header_that_says_a_wait_is_heeded(headers, seconds):
    assert retry_after(headers, None) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("kind", "seconds"), [("requests", 1.0), ("tokens", 360.0), ("other", 360.0), (None, 360.0)])
def test_of_two_resets_that_of_the_limit_counts_which_was_reached(kind, seconds):
    assert retry_after(BOTH, kind) == seconds


def test_a_date_is_a_wait_until_then():
    assert retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)}, None) == pytest.approx(100, abs=5)
