"""The pages of the console that need no name."""

from telemetry.console.pages import PAGES

OWN_PAGES = tuple(page.path for page in PAGES if page.in_navigation)
"""Those of every console, below its path."""
CONSOLE_PAGES = tuple(f"/console{path}" for path in (*OWN_PAGES, "/reviews"))
"""Those of the service."""
