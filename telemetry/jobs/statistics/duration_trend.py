"""DurationTrend: whether a job takes as long as it used to. One that took 50 minutes and now takes 2 is broken, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final, Literal

from telemetry.jobs.store.quantile_sketch import DIGITS, QuantileSketch

RECENT_RUNS: Final = 5
BASELINE_RUNS: Final = timedelta(days=30)
MIN_RUNS: Final = 20
"""Successes: of which the recent duration is made; that there have to be in the past to compare with."""
FACTOR: Final = 2.0
MIN_SECONDS: Final = 0.5
"""By which the recent duration has to differ, and by how many seconds at least: nobody wants to hear of milliseconds."""
TrendVerdict = Literal["usual", "slow", "fast", "unknown"]


@dataclass(frozen=True, slots=True)
class DurationTrend:
    """Medians in seconds, of the newest successes and of those of the past 30 days; `ratio` is the first by the second."""

    verdict: TrendVerdict
    recent_seconds: float | None
    usual_seconds: float | None
    ratio: float | None


def duration_trend(recent: Sequence[float], past: QuantileSketch) -> DurationTrend:
    """`past` is without the recent ones."""
    usual, now = past.percentile(50), round(median(recent), DIGITS) if recent else None
    if now is None or usual is None or len(past) < MIN_RUNS:
        return DurationTrend("unknown", now, usual, None)
    ratio = round(now / usual, 3) if usual else None
    return DurationTrend(_verdict(now, usual, past), now, usual, ratio)


def _verdict(now: float, usual: float, past: QuantileSketch) -> TrendVerdict:
    """Outside of what nine in ten have taken as well: a job whose durations always vary is as usual."""
    quick, slow = past.percentile(5) or 0.0, past.percentile(95) or 0.0
    if now >= FACTOR * usual and now - usual >= MIN_SECONDS and now >= slow:
        return "slow"
    if now <= usual / FACTOR and usual - now >= MIN_SECONDS and now <= quick:
        return "fast"
    return "usual"
