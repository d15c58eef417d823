"""Schemas of /costs."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Resource = Literal["cpu", "memory", "storage", "openai"]


class CostPricesOut(BaseModel):
    """The prices by which money is shown; null for one that is not set."""

    cpu_hour_usd: float | None = Field(description="Of a CPU core for an hour.", examples=[0.04])
    memory_gb_hour_usd: float | None = Field(description="Of a gigabyte of memory for an hour.", examples=[0.005])
    storage_gb_month_usd: float | None = Field(description="Of a gigabyte on the disk for 30 days.", examples=[0.1])


class CostRowOut(BaseModel):
    """What one job, route or part of the service used of one resource."""

    model_config = ConfigDict(from_attributes=True)

    resource: Resource = Field(description="The resource.", examples=["cpu"])
    kind: Literal["job", "route", "service"] = Field(description="What used it.", examples=["job"])
    name: str = Field(
        description="The job or route. `idle` is the CPU time of the processes that no job and no route has used.",
        examples=["sync_wb_reviews"],
    )
    amount: float | None = Field(
        description="CPU seconds; bytes times seconds of memory and storage; US dollars of OpenAI. Null if it was not measured.",
        examples=[812.4],
    )
    usd: float | None = Field(description="Its cost in US dollars; null without a price.", examples=[0.009])
    note: str | None = Field(
        description="What is missing, such as a price; null if nothing is.", examples=["COST_CPU_HOUR_USD is not set."]
    )


class CostDayOut(BaseModel):
    """What was used on one day of UTC."""

    model_config = ConfigDict(from_attributes=True)

    day: date = Field(description="The day.", examples=["2025-10-02"])
    cpu_seconds: float = Field(description="The CPU time of all processes, in seconds.", examples=[4210.5])
    usd: float | None = Field(description="The cost in US dollars; null without any price.", examples=[0.41])
    by_resource: dict[Resource, float] = Field(
        description="The cost of each resource that has a price.", examples=[{"cpu": 0.05, "openai": 0.36}]
    )


class MonthOut(BaseModel):
    """The month so far."""

    model_config = ConfigDict(from_attributes=True)

    spent_usd: float | None = Field(description="The cost of the month so far; null without any price.", examples=[9.1])
    forecast_usd: float | None = Field(
        description="The cost of the whole month if it goes on as so far; null before there is a day of data.",
        examples=[31.4],
    )
    budget_usd: float | None = Field(description="`COST_BUDGET_MONTH_USD`; null if it is not set.", examples=[50.0])


class CostsOut(BaseModel):
    """The costs of a window of whole days of UTC."""

    since: date = Field(description="The first day of the window.", examples=["2025-09-02"])
    until: date = Field(description="The last day: today.", examples=["2025-10-02"])
    usd: float | None = Field(
        description="The cost of the window in US dollars; null without any price.", examples=[12.2]
    )
    prices: CostPricesOut = Field(description="The prices now. Earlier days cost what the prices were then.")
    month: MonthOut = Field(description="The month so far, its forecast and its budget.")
    rows: list[CostRowOut] = Field(
        description="The highest cost first. The CPU rows together are the CPU time of the processes."
    )
    by_day: list[CostDayOut] = Field(description="The days that have data, the oldest first.")
