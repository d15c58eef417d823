"""Schemas of /jobs/stats/{job_name}."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class StreakOut(BaseModel):
    """The newest runs with the same result. Skipped runs do not count."""

    model_config = ConfigDict(from_attributes=True)

    status: Literal["success", "failed"] = Field(description="The result.", examples=["success"])
    runs: int = Field(description="How many runs in a row had it.", examples=[12])


class TrendOut(BaseModel):
    """The median duration of the newest five successes against that of the past 30 days.

    `fast` is as much of a warning as `slow`: a job that took 50 minutes and now takes 2 is broken, too.
    """

    model_config = ConfigDict(from_attributes=True)

    verdict: Literal["usual", "slow", "fast", "unknown"] = Field(
        description="How they compare. `unknown`: there are too few successes.", examples=["usual"]
    )
    recent_seconds: float | None = Field(
        description="The median of the newest five successes, in seconds.", examples=[14.2]
    )
    usual_seconds: float | None = Field(description="The median of the past 30 days, in seconds.", examples=[13.8])
    ratio: float | None = Field(description="`recent_seconds` divided by `usual_seconds`.", examples=[1.03])


class DayOut(BaseModel):
    """The runs that ended on one day of UTC, by their outcome."""

    model_config = ConfigDict(from_attributes=True)

    day: date = Field(description="The day.", examples=["2025-10-02"])
    success: int = Field(description="Runs that succeeded.", examples=[95])
    error: int = Field(description="Runs that ended with an exception.", examples=[1])
    timeout: int = Field(description="Runs that ended by a timeout.", examples=[0])
    cancelled: int = Field(description="Runs that were cancelled, such as by a shutdown.", examples=[0])
    lost: int = Field(description="Runs whose process ended without finishing them.", examples=[0])
    skipped: int = Field(description="Runs that could only wait, such as for a rate limit.", examples=[0])
    avg_duration_seconds: float | None = Field(
        description="The average duration of the runs, in seconds.", examples=[14.1]
    )


class DearRunOut(BaseModel):
    """A run that cost more than others."""

    model_config = ConfigDict(from_attributes=True)

    run_id: str = Field(
        description="The run, as `/jobs/status` lists it.",
        examples=["0af7651916cd43dd8448eb211c80319cb7ad6b7169203331"],
    )
    started_at: datetime = Field(description="When it began.")
    cpu_seconds: float | None = Field(description="Its CPU time, in seconds.", examples=[2.1])
    cost_usd: float | None = Field(description="Its cost in US dollars; null without a price.", examples=[0.012])


class RunCostsOut(BaseModel):
    """What the runs used and cost, of those whose rows are kept and whose CPU time was measured."""

    model_config = ConfigDict(from_attributes=True)

    measured_runs: int = Field(description="How many runs these are.", examples=[96])
    total_cpu_seconds: float = Field(description="Their CPU time, in seconds.", examples=[40.3])
    mean_cpu_seconds: float | None = Field(description="The mean CPU time of a run.", examples=[0.42])
    p95_cpu_seconds: float | None = Field(description="95 % of the runs used no more.", examples=[0.9])
    total_cost_usd: float | None = Field(description="Their cost in US dollars; null without a price.", examples=[0.3])
    mean_cost_usd: float | None = Field(description="The mean cost of a run that has one.", examples=[0.0031])
    p95_cost_usd: float | None = Field(description="95 % of the runs that have a cost cost no more.", examples=[0.009])
    dearest: list[DearRunOut] = Field(
        description="The five runs with the highest cost; without prices, with the highest CPU time."
    )


class StatisticsOut(BaseModel):
    """The runs of one job that ended within the window, or are still running."""

    model_config = ConfigDict(from_attributes=True)

    job_name: str = Field(description="The name of the job.", examples=["sync_wb_reviews"])
    total_runs: int = Field(description="All runs.", examples=[97])
    successful_runs: int = Field(description="Runs that succeeded.", examples=[95])
    failed_runs: int = Field(description="Runs that failed: errors, timeouts, cancelled and lost runs.", examples=[1])
    error_runs: int = Field(description="Runs that ended with an exception.", examples=[1])
    timeout_runs: int = Field(description="Runs that ended by a timeout.", examples=[0])
    cancelled_runs: int = Field(description="Runs that were cancelled, such as by a shutdown.", examples=[0])
    lost_runs: int = Field(description="Runs whose process ended without finishing them.", examples=[0])
    skipped_runs: int = Field(description="Runs that could only wait, such as for a rate limit.", examples=[0])
    running_runs: int = Field(description="Runs that are active now.", examples=[1])
    missed_runs: int = Field(
        0, description="Scheduled runs that did not begin in time, though a scheduler was running.", examples=[0]
    )
    downtime_ticks: int = Field(
        0, description="Scheduled runs that were due while no scheduler was running.", examples=[0]
    )
    success_rate: float | None = Field(
        description="Successes in percent of the runs that ended and were not skipped; null without any.",
        examples=[99.0],
    )
    avg_duration_seconds: float | None = Field(description="The average duration, in seconds.", examples=[14.1])
    p50_duration_seconds: float | None = Field(
        description="Half of the runs took no longer, in seconds.", examples=[13.8]
    )
    p95_duration_seconds: float | None = Field(
        description="95 % of the runs took no longer, in seconds.", examples=[19.5]
    )
    p99_duration_seconds: float | None = Field(
        description="99 % of the runs took no longer, in seconds.", examples=[24.0]
    )
    current_streak: StreakOut | None = Field(description="The newest results in a row; null before the first.")
    last_run: datetime | None = Field(description="When the last run began.")
    last_status: str | None = Field(
        description="The status of the last run: `running`, `success` or `failed`.", examples=["success"]
    )
    last_success: datetime | None = Field(description="When the last success ended.")
    next_run: datetime | None = Field(
        None, description="When the next run is due; null if none is.", examples=["2025-10-02T12:15:00Z"]
    )
    window_seconds: float | None = Field(
        description="The length of the window in seconds; null for all runs that are kept.", examples=[86400.0]
    )
    trend: TrendOut = Field(description="Whether the newest runs take as long as usual.")
    costs: RunCostsOut = Field(description="What the runs of the window used and cost.")
    by_day: list[DayOut] = Field(description="The newest 30 days that have runs, the oldest first.")
