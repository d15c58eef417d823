"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page_definition import Action, ConsolePage
from telemetry.console.pages import overview

PAGES: Final[tuple[ConsolePage, ...]] = (ConsolePage("", "Overview", "overview.html", overview.read),)
ACTIONS: Final[tuple[Action, ...]] = ()
