"""The rows of the timeline: the runs of each job as a lane, and the figures beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from markupsafe import Markup

from telemetry import semconv
from telemetry.console.job_control import MissedRun, ScheduledJob
from telemetry.console.plots import lane
from telemetry.jobs.statistics.duration_trend import (
    MIN_BASELINE_RUNS,
    MIN_RATIO,
    RECENT_RUNS,
    DurationTrend,
    duration_trend,
)
from telemetry.jobs.statistics.timeline_runs import DrawnRun, JobLane
from telemetry.jobs.store.quantile_sketch import QuantileSketch

COLOURS: Final[Mapping[str | None, str]] = {
    None: "c1",
    semconv.OUTCOME_SUCCESS: "ok",
    semconv.OUTCOME_SKIPPED: "quiet",
    semconv.OUTCOME_CANCELLED: "warn",
}
"""Of runs by their outcome; None is one that is active, and all others have failed."""
FAILED_COLOUR: Final = "bad"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the timeline.

    Attributes:
        success: the share of the judged runs that succeeded, 0 to 1; None without any.
        p50, p95: seconds.
        counted: how many of the newest runs these are from; `is_complete` if that is all of the window.
        last: the start of the newest run, in seconds since 1970; `last_colour` tells its outcome.
    """

    job: ScheduledJob
    drawn: Markup
    success: float | None
    p50: float | None
    p95: float | None
    trend: DurationTrend
    counted: int
    is_complete: bool
    is_running: bool
    last: float | None
    last_colour: str

    @property
    def tags(self) -> list[tuple[str, str]]:
        """The state as colours and words; none where there is nothing to say."""
        found = {
            ("info", "running"): self.is_running,
            ("bad", "failing"): self.last_colour == FAILED_COLOUR,
            ("warn", "paused"): self.job.paused_since is not None,
            ("", "not scheduled"): bool(self.job.missing),
        }
        return [tag for tag, holds in found.items() if holds]


def colour_of(outcome: str | None) -> str:
    return COLOURS.get(outcome, FAILED_COLOUR)


def make_row(job: ScheduledJob, runs: JobLane, missed: Sequence[MissedRun], window: tuple[float, float]) -> JobRow:
    newest = runs.newest
    judged = [run for run in newest if run.outcome != semconv.OUTCOME_SKIPPED]
    successes = [run.duration or 0.0 for run in newest if run.outcome == semconv.OUTCOME_SUCCESS]
    durations = sorted(run.duration for run in newest if run.duration is not None)
    last = max((*runs.running[:1], *newest[:1]), key=lambda run: run.started_at, default=None)
    return JobRow(
        job=job,
        drawn=draw_lane(job.name, runs, missed, window),
        success=len(successes) / len(judged) if judged else None,
        p50=_percentile(durations, 50),
        p95=_percentile(durations, 95),
        trend=_trend(successes),
        counted=len(newest),
        is_complete=runs.is_complete,
        is_running=bool(runs.running),
        last=last.started_at if last else None,
        last_colour=colour_of(newest[0].outcome) if newest else "",
    )


def draw_lane(name: str, runs: JobLane, missed: Sequence[MissedRun], window: tuple[float, float]) -> Markup:
    every = (*runs.newest, *runs.older, *runs.running)
    return lane.draw(
        (_bar(run, window[1]) for run in every), (_mark(each) for each in missed), window, _label(name, runs, missed)
    )


def _bar(run: DrawnRun, now: float) -> lane.Bar:
    return lane.Bar(run.started_at, now if run.ended_at is None else run.ended_at, colour_of(run.outcome))


def _mark(missed: MissedRun) -> lane.Mark:
    first = missed.scheduled_for.timestamp()
    last = missed.until.timestamp() if missed.until else first
    return lane.Mark(first, last, "hatched" if missed.in_downtime else "hollow")


def _label(name: str, runs: JobLane, missed: Iterable[MissedRun]) -> str:
    failed = sum(colour_of(run.outcome) == FAILED_COLOUR for run in (*runs.newest, *runs.older) if not run.is_sample)
    late = sum(each.number for each in missed)
    number = f"{len(runs.newest)}" if runs.is_complete else f"more than {len(runs.newest)}"
    parts = [f"{name}: {number} runs", f"{failed} failed", *([f"{late} did not begin"] if late else [])]
    return ", ".join([*parts, *(["one is active"] if runs.running else [])])


def _trend(durations: Sequence[float]) -> DurationTrend:
    """Of the newest successes against those before them in the window. The sketch is only made where they differ."""
    recent, past = durations[:RECENT_RUNS], durations[RECENT_RUNS:]
    if len(past) < MIN_BASELINE_RUNS:
        return DurationTrend("unknown", None, None, None)
    now, usual = median(recent), median(past)
    if max(now, usual) < MIN_RATIO * min(now, usual):
        return DurationTrend("usual", now, usual, None)
    return duration_trend(recent, QuantileSketch(past))


def _percentile(durations: Sequence[float], percent: int) -> float | None:
    """By nearest rank, of sorted durations."""
    return durations[max(0, -(-len(durations) * percent // 100) - 1)] if durations else None
