"""Tiers: each number is kept in intervals of several lengths, so that any window is the sum of few rows.

What is sampled is added to the row of its interval in every tier. So the newest row of each tier is complete up to the newest
sample, and nothing has to be rolled up later.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
FINEST: Final = 10
"""Seconds between two samples."""
KEPT_SECONDS: Final[Mapping[int, int]] = {
    FINEST: 6 * HOUR,
    MINUTE: 6 * HOUR,
    5 * MINUTE: 14 * DAY,
    30 * MINUTE: 14 * DAY,
    3 * HOUR: 14 * DAY,
    DAY: 14 * DAY,
}
"""For how long the rows of each tier are kept, by the seconds of its interval. Each interval divides the next one."""
_PRUNED_WITHIN: Final = 30 * MINUTE
"""A tier that is older than that before its end may have lost its oldest intervals."""


class WindowPart(NamedTuple):
    """The rows of one tier with `after < t <= until`."""

    tier: int
    after: int
    until: int


def round_down(t: float, tier: int) -> int:
    return int(t // tier) * tier


def round_up(t: float, tier: int) -> int:
    return -(-t // tier).__int__() * tier


def finest_tier(t: float, begins: Mapping[int, float]) -> int:
    """The finest tier that still has the rows of a time; the one that goes back farthest if none has.

    Args:
        t: Unix seconds.
        begins: since when there are rows, by tier.
    """
    for tier in sorted(begins):
        if begins[tier] <= t:
            return tier
    return min(sorted(begins), key=lambda tier: begins[tier], default=FINEST)


def since_by_tier(kept: Mapping[int, tuple[int, int]]) -> dict[int, float]:
    """Since when each tier has all that there is, by the ends of its first and its last interval.

    A young tier begins within the first interval of the next longer one, and has everything that that has.
    """
    found: dict[int, float] = {}
    longer: int | None = None
    for tier in sorted(kept, reverse=True):
        first, last = kept[tier]
        found[tier] = first - tier
        is_young = last - first < KEPT_SECONDS[tier] - _PRUNED_WITHIN
        if longer is not None and is_young and first <= kept[longer][0]:
            found[tier] = found[longer]
        longer = tier
    return found


def segments(since: float, until: float, begins: Mapping[int, float], *, is_open: bool) -> list[WindowPart]:
    """Split a window into rows of as few, and as long, intervals as possible.

    Its edges are rounded outwards to the finest intervals that are still kept there.

    Args:
        since: Unix seconds.
        until: Unix seconds.
        begins: since when there are rows, by tier.
        is_open: whether there are no samples after the window, so that rows that end later belong to it as a whole.
    """
    start = round_down(since, finest_tier(since, begins))
    if is_open:
        return _until_newest(start, until, sorted(KEPT_SECONDS, reverse=True))
    end = round_up(until, finest_tier(until, begins))
    return _between(start, end, sorted(KEPT_SECONDS, reverse=True))


def _until_newest(start: int, until: float, tiers: list[int]) -> list[WindowPart]:
    for place, tier in enumerate(tiers):
        first, end = round_up(start, tier), round_up(until, tier)
        if first < end:
            return [*_between(start, first, tiers[place + 1 :]), WindowPart(tier, first, end)]
    return []


def _between(start: int, end: int, tiers: list[int]) -> list[WindowPart]:
    for place, tier in enumerate(tiers):
        first, last = round_up(start, tier), round_down(end, tier)
        if first < last:
            finer = tiers[place + 1 :]
            return [*_between(start, first, finer), WindowPart(tier, first, last), *_between(last, end, finer)]
    return []


def tier_for_steps(since: float, step: int, begins: Mapping[int, float]) -> tuple[int, int]:
    """The tier to read for points of so many seconds, and the seconds that the points then have.

    They are longer than asked for where such short intervals are not kept any more, or do not exist.
    """
    finest = finest_tier(since, begins)
    step = max(FINEST, finest, round_up(step, finest))
    return max(tier for tier in KEPT_SECONDS if step % tier == 0 and tier >= finest), step
