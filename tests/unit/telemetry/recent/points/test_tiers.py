"""A window is the sum of rows that cover each of its intervals once."""

import random
from itertools import pairwise

import pytest

from telemetry.recent.points.tiers import (
    DAY,
    FINEST,
    HOUR,
    KEPT_SECONDS,
    MINUTE,
    round_up,
    segments,
    since_by_tier,
    tier_for_steps,
)

NOW = 1_800_000_123
BEGINS = {tier: NOW - seconds for tier, seconds in KEPT_SECONDS.items()}
NEW = {tier: NOW - 600 - tier for tier in KEPT_SECONDS}


def covered(parts):
    return [t for part in parts for t in range(part.after + FINEST, part.until + FINEST, FINEST)]


@pytest.mark.parametrize("seed", range(20))
def test_a_window_is_covered_without_a_hole_and_nothing_twice(seed):
    random.seed(seed)
    for _ in range(20):
        until = NOW - random.uniform(0, random.choice([HOUR, 5 * HOUR]))
        since = until - random.uniform(30, random.choice([MINUTE, HOUR, 6 * HOUR, DAY, 8 * DAY]))

        found = covered(segments(since, until, BEGINS, is_open=False))

        assert found == list(range(found[0], found[-1] + 1, FINEST))
        assert found[0] - FINEST <= since
        assert until <= found[-1] < until + FINEST


@pytest.mark.parametrize("begins", [BEGINS, NEW])
@pytest.mark.parametrize("seconds", [10, 59, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 14 * DAY])
def test_a_window_until_now_needs_few_rows(begins, seconds):
    parts = segments(NOW - seconds, NOW, begins, is_open=True)

    rows = sum((part.until - part.after) // part.tier for part in parts)
    found = covered(parts)
    assert rows <= 45
    assert found == list(range(found[0], found[-1] + 1, FINEST))
    assert found[0] - FINEST <= max(NOW - seconds, min(begins.values()) + FINEST)
    assert found[-1] >= NOW


@pytest.mark.parametrize(
    ("age", "asked", "expected"),
    [
        (900, 10, (10, 10)),
        (HOUR, 60, (60, 60)),
        (HOUR, 30, (10, 30)),
        (HOUR, 7, (10, 10)),
        (5 * HOUR, 300, (300, 300)),
        (DAY, 60, (300, 300)),
        (DAY, 1800, (1800, 1800)),
        (DAY, 700, (300, 900)),
        (13 * DAY, 3 * HOUR, (3 * HOUR, 3 * HOUR)),
        (99 * DAY, 3 * HOUR, (3 * HOUR, 3 * HOUR)),
    ],
)
def test_points_come_from_the_coarsest_tier_that_fits(age, asked, expected):
    assert tier_for_steps(NOW - age, asked, BEGINS) == expected


def test_each_interval_divides_the_next_one():
    tiers = sorted(KEPT_SECONDS)

    assert all(longer % shorter == 0 for shorter, longer in pairwise(tiers))


def test_a_young_store_is_shown_in_the_intervals_that_were_asked_for():
    """Ten minutes of samples: the longer tiers begin earlier only because their intervals do."""
    start, end = 1_800_000_130, 1_800_000_730
    kept = {tier: (round_up(start + 1, tier), round_up(end, tier)) for tier in KEPT_SECONDS}
    found = since_by_tier(kept)
    assert tier_for_steps(end - 3600, 10, found) == (10, 10)
    assert tier_for_steps(end - 14 * 86_400, 60, found) == (60, 60)


def test_a_tier_that_has_lost_its_oldest_intervals_begins_where_it_does():
    end = 1_800_000_000
    kept = {tier: (round_up(end - seconds + tier, tier), round_up(end, tier)) for tier, seconds in KEPT_SECONDS.items()}
    found = since_by_tier(kept)
    assert found[60] >= end - 6 * 3600 - 60
    assert tier_for_steps(end - 86_400, 60, found) == (300, 300)
