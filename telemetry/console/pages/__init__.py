"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import logs, overview, requests, route, trace, traces

PAGES: Final[tuple[ConsolePage, ...]] = (
    ConsolePage("", "Overview", "overview.html", overview.read),
    ConsolePage("/requests", "Requests", "requests.html", requests.read),
    ConsolePage("/requests/route", "Route", "route.html", route.read, in_navigation=False),
    ConsolePage("/traces", "Traces", "traces.html", traces.read),
    ConsolePage("/traces/{trace_id}", "Trace", "trace.html", trace.read, in_navigation=False, refresh_seconds=0),
    ConsolePage("/logs", "Logs", "logs.html", logs.read),
)
ACTIONS: Final[tuple[Action, ...]] = ()
