"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import (
    alerts,
    jobs,
    logs,
    one_job,
    outside,
    overview,
    own_telemetry,
    requests,
    route,
    taken_profiles,
    trace,
    traces,
)

PAGES: Final[tuple[ConsolePage, ...]] = (
    ConsolePage("", "Overview", "overview.html", overview.read),
    ConsolePage("/requests", "Requests", "requests.html", requests.read),
    ConsolePage("/requests/route", "Route", "route.html", route.read, in_navigation=False),
    ConsolePage("/jobs", "Jobs", "jobs.html", jobs.read, refresh_seconds=3.0),
    ConsolePage("/jobs/{name:path}/run", "Run a job", "job_run.html", one_job.read_run_now, in_navigation=False),
    ConsolePage("/jobs/{name:path}", "Job", "job.html", one_job.read, in_navigation=False, refresh_seconds=2.0),
    ConsolePage("/outside", "Outside", "outside.html", outside.read),
    ConsolePage("/alerts", "Alerts", "alerts.html", alerts.read),
    ConsolePage("/traces", "Traces", "traces.html", traces.read),
    ConsolePage("/traces/{trace_id}", "Trace", "trace.html", trace.read, in_navigation=False, refresh_seconds=0),
    ConsolePage("/logs", "Logs", "logs.html", logs.read),
    ConsolePage("/telemetry", "Telemetry", "telemetry.html", own_telemetry.read),
)
ACTIONS: Final[tuple[Action, ...]] = (*one_job.ACTIONS, *alerts.ACTIONS, *taken_profiles.ACTIONS)
