"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import alerts, jobs, one_job, overview, requests, route

PAGES: Final[tuple[ConsolePage, ...]] = (
    ConsolePage("", "Overview", "overview.html", overview.read),
    ConsolePage("/requests", "Requests", "requests.html", requests.read),
    ConsolePage("/requests/route", "Route", "route.html", route.read, in_navigation=False),
    ConsolePage("/jobs", "Jobs", "jobs.html", jobs.read),
    ConsolePage("/jobs/{name:path}/run", "Run a job", "job_run.html", one_job.read_run_now, in_navigation=False),
    ConsolePage("/jobs/{name:path}", "Job", "job.html", one_job.read, in_navigation=False, refresh_seconds=3.0),
    ConsolePage("/alerts", "Alerts", "alerts.html", alerts.read),
)
ACTIONS: Final[tuple[Action, ...]] = (*one_job.ACTIONS, *alerts.ACTIONS)
