"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import outside, overview, own_telemetry, requests, route

PAGES: Final[tuple[ConsolePage, ...]] = (
    ConsolePage("", "Overview", "overview.html", overview.read),
    ConsolePage("/requests", "Requests", "requests.html", requests.read),
    ConsolePage("/requests/route", "Route", "route.html", route.read, in_navigation=False),
    ConsolePage("/outside", "Outside", "outside.html", outside.read),
    ConsolePage("/telemetry", "Telemetry", "telemetry.html", own_telemetry.read),
)
ACTIONS: Final[tuple[Action, ...]] = ()
