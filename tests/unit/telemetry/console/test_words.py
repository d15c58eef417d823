from datetime import UTC, datetime

import pytest

from telemetry.console import words

NOTHING = "\N{EN DASH}"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.042, "0.042"),
        (1.5, "1.5"),
        (2.0, "2"),
        (13.37, "13.4"),
        (1204, "1,204"),
        (999.6, "1,000"),
        (3_140_000, "3.1 M"),
        (-12.5, "-12.5"),
        (None, NOTHING),
        (float("nan"), NOTHING),
        (float("inf"), NOTHING),
    ],
)
def test_a_number_has_the_digits_that_matter(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0004, "< 0.1 %"), (0.9999, "99.9 %"), (0.123, "12.3 %"), (None, NOTHING)],
)
def test_a_share_looks_like_all_or_nothing_only_if_it_is(share, text):
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0008, "0.8 ms"),
        (0.021, "21 ms"),
        (4.13, "4.1 s"),
        (59, "59 s"),
        (125, "2 min 5 s"),
        (12_000, "3 h 20 min"),
        (273_600, "3 d 4 h"),
        (-5, "-5.0 s"),
        (None, NOTHING),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(seconds, text):
    assert words.duration(seconds) == text


def test_bytes_are_said_in_units_of_a_thousand():
    assert [words.size(count) for count in (0, 512, 2_500, 412_000_000, None)] == [
        "0 B",
        "512 B",
        "2.5 kB",
        "412 MB",
        NOTHING,
    ]


@pytest.mark.parametrize(
    ("then", "text"),
    [
        (NOW, "just now"),
        (NOW - 240, "4 min ago"),
        (NOW + 180, "in 3 min"),
        (NOW - 8000, "2 h ago"),
        (NOW - 9e5, "10 days ago"),
    ],
)
def test_a_relative_time_says_before_or_after(then, text):
    assert words.ago(then, NOW) == text


def test_a_time_has_the_whole_of_it_in_utc_on_hover():
    shown = str(words.clock_time(NOW - 60, NOW))
    assert 'title="2026-03-01 11:59:00 UTC"' in shown
    assert "11:59:00 UTC</time>" in shown


@pytest.mark.parametrize("moment", [None, 1e20, float("nan"), -1e18])
def test_a_time_that_is_none_is_a_dash(moment):
    assert str(words.relative_time(moment, NOW)) == NOTHING
