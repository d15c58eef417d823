"""The page Costs: what the service used and cost in the last 30 days, and whether the month keeps its budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from service.api.dependencies import RuntimeDependencies
from service.jobs.costs.budget import Budget, MonthCosts
from service.jobs.costs.cost_report import CostReport, cost_report, window_of
from service.settings import Settings
from telemetry.console import ConsolePage, View, read_part
from telemetry.costs import MEMORY, STORAGE

TEMPLATES: Final = Path(__file__).parent / "templates"
WINDOW: Final = timedelta(days=29)
MAX_ROWS: Final = 200
_UNITS: Final = {MEMORY: (10**9 * 3600, "GB·hours"), STORAGE: (10**9 * 86_400, "GB·days")}


@dataclass(frozen=True, slots=True)
class CostsPage:
    """Reads the costs of all processes from the database of `runtime`."""

    runtime: RuntimeDependencies
    settings: Settings

    def pages(self) -> Sequence[ConsolePage]:
        return [ConsolePage("/costs", "Costs", "costs.html", self.read, TEMPLATES, refresh_seconds=15.0)]

    def read(self, _view: View) -> dict[str, Any]:
        part = read_part("Costs", self._costs, None)
        return {"costs": part, "most": MAX_ROWS, "amount": _amount}

    def _costs(self) -> tuple[CostReport, MonthCosts] | None:
        now, engine, prices = self.runtime.clock.last_now(), self.runtime.engines.requests, self.settings.prices
        month = Budget(engine, prices, self.settings.cost_budget_month_usd).month(now)
        return cost_report(engine, prices, *window_of(now, WINDOW)), month


def _amount(resource: str, amount: float | None) -> str:
    """An amount with its unit; what OpenAI charged is money already."""
    if amount is None:
        return "not measured"
    if resource not in _UNITS:
        return f"{amount:.2f} s" if resource == "cpu" else ""
    size, unit = _UNITS[resource]
    return f"{amount / size:.3f} {unit}"
