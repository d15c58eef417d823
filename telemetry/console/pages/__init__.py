"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import overview, requests, route

PAGES: Final[tuple[ConsolePage, ...]] = (
    ConsolePage("", "Overview", "overview.html", overview.read),
    ConsolePage("/requests", "Requests", "requests.html", requests.read),
    ConsolePage("/requests/route", "Route", "route.html", route.read, in_navigation=False),
)
ACTIONS: Final[tuple[Action, ...]] = ()
