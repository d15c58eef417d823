"""GET /costs: what the service used and cost, by day, resource, job and route."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import RuntimeDep, SettingsDep
from service.api.edge.admission import admission, admit_query
from service.api.job_stats import parse_window
from service.api.schemas.cost_schemas import CostDayOut, CostPricesOut, CostRowOut, CostsOut, MonthOut
from service.api.schemas.parameters import Window
from service.api.schemas.problem_schemas import INVALID, UNAVAILABLE
from service.jobs.costs.budget import Budget
from service.jobs.costs.cost_report import cost_report, window_of

router = APIRouter(tags=["monitoring"], dependencies=[admission(admit_query)], responses=UNAVAILABLE)


@router.get("/costs", responses=INVALID)
def read_costs(
    runtime: RuntimeDep,
    settings: SettingsDep,
    window: Annotated[Window, Query(description="The days that this time covers, today included.")] = "30d",
) -> CostsOut:
    """Show what the service used and cost.

    By day, resource, job and route. Each process adds what it has used every 15 seconds. Without prices there are amounts, and
    no money.
    """
    now, prices, engine = runtime.clock.last_now(), settings.prices, runtime.engines.requests
    report = cost_report(engine, prices, *window_of(now, parse_window(window)))
    return CostsOut(
        since=report.since,
        until=report.until,
        usd=report.usd,
        prices=CostPricesOut(
            cpu_hour_usd=prices.cpu_hour,
            memory_gb_hour_usd=prices.memory_gb_hour,
            storage_gb_month_usd=prices.storage_gb_month,
        ),
        month=MonthOut.model_validate(Budget(engine, prices, settings.cost_budget_month_usd).month(now)),
        rows=[CostRowOut.model_validate(row) for row in report.rows],
        by_day=[CostDayOut.model_validate(day) for day in report.days],
    )
