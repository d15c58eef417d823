"""Budgets: each promise, how well it is kept, and how much may still go wrong."""

from deploy.generate.dashboards.panels import (
    WIDTH,
    Dashboard,
    Query,
    Row,
    graph,
    high_is_good,
    low_is_good,
    number,
    table,
)
from deploy.generate.objectives import Objective
from deploy.generate.slo import WINDOWS


def dashboard(objectives: list[Objective]) -> Dashboard:
    rows = (_whole(objectives), *map(_row, objectives))
    return Dashboard(
        "sovani-budgets",
        "Budgets",
        "Each promise, how well it is kept, and how much may still go wrong in 30 days.",
        rows,
    )


def _whole(objectives: list[Objective]) -> Row:
    labels = ", ".join(dict.fromkeys(("slo", *(label for each in objectives for label in each.by))))
    return Row(
        "All promises",
        (
            table(
                "Budget left",
                "1 is all of it, 0 none: below that the promise is broken. The share that failed in an hour and in 30 days is beside it.",
                # Aggregated, since the name of the metric would be a label in which no two rows are alike.
                Query(f"max by ({labels}) (slo:budget_left:ratio)", "left"),
                Query(f"max by ({labels}) (slo:errors:ratio_rate1h)", "failed in an hour"),
                Query(f"max by ({labels}) (slo:errors:ratio_rate30d)", "failed in 30 days"),
                width=WIDTH,
                height=8,
                unit="percentunit",
            ),
        ),
    )


def _row(objective: Objective) -> Row:
    this = f'{{slo="{objective.name}"}}'
    legend = " ".join(f"{{{{{label}}}}}" for label in objective.by) or objective.name
    burning = tuple(
        Query(f"slo:errors:ratio_rate{window}{this} / {objective.budget:g}", f"{legend} {window}")
        for window in ("1h", "6h", "3d")
        if window in WINDOWS
    )
    return Row(
        f"{objective.name}: {objective.objective:g} %",
        (
            number(
                "Kept in 30 days",
                objective.promise,
                f"1 - max(slo:errors:ratio_rate30d{this})",
                unit="percentunit",
                steps=high_is_good(1 - 2 * objective.budget, 1 - objective.budget),
                width=4,
                height=8,
            ),
            graph(
                "Budget left",
                objective.promise,
                Query(f"slo:budget_left:ratio{this}", legend),
                unit="percentunit",
                least=None,
                width=10,
                steps=high_is_good(0, 0.25),
            ),
            graph(
                "How fast it burns",
                "1 is as fast as it may: then nothing is left after 30 days. At 14.4 it is gone in two.",
                *burning,
                width=10,
                steps=low_is_good(1, 6),
            ),
        ),
    )
