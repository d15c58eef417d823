import time
from email.utils import formatdate

import pytest

from telemetry.http_client.foreign_values import MAX_RETRY_AFTER, integer64, retry_after, retry_after_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (7, 7.0),
        (0.25, 0.25),
        ("7", 7.0),
        (" 90.5 ", 90.5),
        (86_400, 86_400.0),
        (1e15, MAX_RETRY_AFTER),
        ("1e15", MAX_RETRY_AFTER),
        (2**70, MAX_RETRY_AFTER),
        (10**400, MAX_RETRY_AFTER),
        ("1795430000", MAX_RETRY_AFTER),
        ("Thu, 01 Oct 2020 00:00:00 GMT", 0.0),
        ("Thu, 01 Oct 2020 00:00:00 -0000", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        (float("inf"), None),
        ("Infinity", None),
        ("9" * 400, None),
        (float("nan"), None),
        ("NaN", None),
        (-1, None),
        ("-5", None),
        (-(10**400), None),
        ("-inf", None),
        (True, None),
        ("soon", None),
        ("", None),
        ("Thu, 99 Oct 2020 00:00:00 GMT", None),
        ("Thu, 01 Oct 99999999999999 00:00:00 GMT", None),
        ("Thu, " * 10_000, None),
        (None, None),
        ([5], None),
        ({"seconds": 5}, None),
    ],
)
def test_a_wait_is_a_day_at_most_or_not_readable(value, seconds):
    assert retry_after(value) == seconds


def test_a_date_is_a_wait_until_then_and_a_day_at_most():
    assert retry_after(formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=5)
    assert retry_after(formatdate(time.time() + 10**7, usegmt=True)) == MAX_RETRY_AFTER


def test_the_first_header_that_is_readable_counts():
    assert retry_after_seconds({"a": "soon", "b": "3", "c": "4"}, "missing", "a", "b", "c") == 3.0
    assert retry_after_seconds({"a": "soon"}, "a") is None


def test_a_date_is_read_in_retry_after_only():
    later = formatdate(time.time() + 100, usegmt=True)

    assert retry_after_seconds({"x-ratelimit-retry": later}, "x-ratelimit-retry") is None
    assert retry_after_seconds({"retry-after": later}, "retry-after") == pytest.approx(100, abs=5)


@pytest.mark.parametrize("value", [1, 7, 2**63 - 1])
def test_an_integer_that_a_database_holds_is_kept(value):
    assert integer64(value, minimum=1) == value


@pytest.mark.parametrize("value", [0, -1, 2**63, 2**70, 10**400, True, False, 7.0, "7", None, [7], float("nan")])
def test_anything_else_is_no_id(value):
    assert integer64(value, minimum=1) is None


def test_the_id_of_a_group_is_negative():
    assert integer64(-1001234567892) == -1001234567892
    assert integer64(-(2**70)) is None
