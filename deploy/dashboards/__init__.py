"""The dashboards, as values; `python -m deploy` makes Grafana's JSON of them."""

from deploy.dashboards import jobs, outside, service, telemetry
from deploy.dashboards.budgets import dashboard as budgets
from deploy.dashboards.panels import Dashboard
from deploy.objectives import Objective


def dashboards(objectives: list[Objective]) -> dict[str, Dashboard]:
    """Each by the name of its file."""
    return {
        "service": service.DASHBOARD,
        "jobs": jobs.DASHBOARD,
        "outside": outside.DASHBOARD,
        "budgets": budgets(objectives),
        "telemetry": telemetry.DASHBOARD,
    }
