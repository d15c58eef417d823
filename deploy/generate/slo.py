"""SLO: Prometheus rules made of the objectives: ratios of errors over windows, and alerts on how fast the budget burns.

Multi-window, multi-burn-rate, as in Google's SRE workbook ("Alerting on SLOs"): a long window says that it matters, a short one that
it still goes on, so an alert stops soon after its cause does. The pairs and factors are the book's, for 30 days.
"""

from dataclasses import dataclass
from typing import Any, Final

from deploy.generate import runbook
from deploy.generate.catalogue import as_scraped
from deploy.generate.objectives import BAD, Objective

DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Burn:
    """At `factor` times the speed the budget of 30 days is gone after 30 days divided by it."""

    factor: float
    long: str
    short: str
    severity: str


BURNS: Final = (
    Burn(14.4, "1h", "5m", "critical"),
    Burn(6, "6h", "30m", "critical"),
    Burn(3, "1d", "2h", "warning"),
    Burn(1, "3d", "6h", "warning"),
)
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")


def rules(objectives: list[Objective]) -> dict[str, Any]:
    return {"groups": [_group(objective) for objective in objectives]}


def record(objective: Objective, window: str) -> str:
    return f"slo:errors:ratio_rate{window}{{slo={objective.name!r}}}".replace("'", '"')


def _group(objective: Objective) -> dict[str, Any]:
    """One group, whose rules are evaluated in their order: alerts see the ratios of the same moment."""
    made = [*_ratios(objective), *(_alert(objective, burn) for burn in BURNS)]
    return {"name": f"slo-{objective.name}", "interval": "30s", "rules": made}


def _ratios(objective: Objective) -> list[dict[str, Any]]:
    labels = {"slo": objective.name}
    made: list[dict[str, Any]] = (
        [{"record": BAD, "expr": as_scraped(objective.bad), "labels": labels}] if objective.bad else []
    )
    made += [
        {"record": f"slo:errors:ratio_rate{window}", "expr": as_scraped(objective.ratio(window)), "labels": labels}
        for window in WINDOWS
    ]
    made.append({"record": "slo:objective:ratio", "expr": f"vector({1 - objective.budget:g})", "labels": labels})
    left = f"1 - ({record(objective, '30d')} / {objective.budget:g})"
    made.append({"record": "slo:budget_left:ratio", "expr": left, "labels": labels})
    return made


def _alert(objective: Objective, burn: Burn) -> dict[str, Any]:
    most = f"{burn.factor:g} * {objective.budget:g}"
    over = " and ".join(f"({record(objective, window)} > {most})" for window in (burn.long, burn.short))
    about = "".join(f" ({{{{ $labels.{label} }}}})" for label in objective.by)
    return {
        "alert": "BudgetBurns",
        "expr": over,
        "for": "2m",
        "labels": {"severity": burn.severity, "slo": objective.name, "burn": f"{burn.factor:g}", "long": burn.long},
        "annotations": {
            "summary": f"{objective.name}{about}: the budget burns {burn.factor:g} times too fast",
            "description": f"{objective.promise} Over {burn.long} it was {{{{ $value | humanizePercentage }}}} that failed; "
            f"at this speed the budget of {DAYS} days lasts {DAYS * 24 / burn.factor:.0f} hours.",
            "runbook_url": f"{runbook.PAGE}#budgetburns",
        },
    }
