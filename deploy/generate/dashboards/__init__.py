"""The dashboards, as values; `python -m deploy.generate` makes Grafana's JSON of them."""

from deploy.generate.dashboards import budgets, costs, external_services, jobs, service, telemetry
from deploy.generate.dashboards.panels import Dashboard
from deploy.generate.objectives import Objective


def dashboards(objectives: list[Objective]) -> dict[str, Dashboard]:
    """Each by the name of its file."""
    return {
        "service": service.DASHBOARD,
        "jobs": jobs.DASHBOARD,
        "outside": external_services.DASHBOARD,
        "budgets": budgets.dashboard(objectives),
        "costs": costs.DASHBOARD,
        "telemetry": telemetry.DASHBOARD,
    }
