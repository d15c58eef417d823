"""The pages of the console, in the order of the navigation, and what they change."""

from typing import Final

from telemetry.console.page import Action, Page
from telemetry.console.pages import overview

PAGES: Final[tuple[Page, ...]] = (Page("", "Overview", "overview.html", overview.read),)
ACTIONS: Final[tuple[Action, ...]] = ()
