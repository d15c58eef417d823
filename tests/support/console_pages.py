"""The paths of the console in the service: `CONSOLE_PAGES` are the pages that need no name."""

from telemetry.console.pages import PAGES

OWN_PAGES = tuple(page.path for page in PAGES if page.in_navigation)
"""Those of every console, below its path."""
CONSOLE_PAGES = tuple(f"/console{path}" for path in (*OWN_PAGES, "/reviews"))
"""Those of the service."""


def is_of_console(path: str) -> bool:
    """Whether a route of the service is a page of the console, or something that its pages need."""
    return path == "/console" or path.startswith("/console/")
