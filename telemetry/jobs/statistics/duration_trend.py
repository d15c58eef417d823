"""Whether a job takes as long as it used to. A job that took 50 minutes and now takes 2 is broken, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final, Literal

from telemetry.jobs.store.quantile_sketch import DIGITS, QuantileSketch

RECENT_RUNS: Final = 5
BASELINE_WINDOW: Final = timedelta(days=30)
MIN_BASELINE_RUNS: Final = 20
"""Numbers of successes: for the recent duration; required in the baseline."""
MIN_RATIO: Final = 2.0
MIN_DIFFERENCE_SECONDS: Final = 0.5
"""How much the recent duration must differ, as a ratio and in seconds: a difference of milliseconds does not matter."""
TrendVerdict = Literal["usual", "slow", "fast", "unknown"]


@dataclass(frozen=True, slots=True)
class DurationTrend:
    """Median durations in seconds, of the newest successes and of those of the past 30 days; `ratio` is recent to usual."""

    verdict: TrendVerdict
    recent_seconds: float | None
    usual_seconds: float | None
    ratio: float | None


def duration_trend(recent: Sequence[float], past: QuantileSketch) -> DurationTrend:
    """Compare the newest durations, in seconds, with the past ones; `past` does not contain the recent ones."""
    usual, current = past.percentile(50), round(median(recent), DIGITS) if recent else None
    if current is None or usual is None or len(past) < MIN_BASELINE_RUNS:
        return DurationTrend("unknown", current, usual, None)
    ratio = round(current / usual, 3) if usual else None
    return DurationTrend(_verdict(current, usual, past), current, usual, ratio)


def _verdict(current: float, usual: float, past: QuantileSketch) -> TrendVerdict:
    """Slow or fast only outside the 5th to 95th percentile: a job whose durations always vary is as usual."""
    fast, slow = past.percentile(5) or 0.0, past.percentile(95) or 0.0
    if current >= MIN_RATIO * usual and current - usual >= MIN_DIFFERENCE_SECONDS and current >= slow:
        return "slow"
    if current <= usual / MIN_RATIO and usual - current >= MIN_DIFFERENCE_SECONDS and current <= fast:
        return "fast"
    return "usual"
