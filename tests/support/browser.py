"""Chromium, as a person uses it, with what goes wrong in a page: errors, requests to others, violations of the policy, barriers."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, sync_playwright

from tools import node_packages

AXE: Final = "node_modules/axe-core/axe.min.js"
_SERIOUS: Final = frozenset({"serious", "critical"})
_PATIENCE_MS: Final = 30_000
Scheme = Literal["light", "dark"]


@dataclass
class Visit:
    """A page of a browser, and what went wrong in it.

    Attributes:
        errors: messages of the console, exceptions of scripts, and violations of the policy.
        foreign: requests to other hosts.
    """

    page: Page
    base: str
    axe: Path
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(_PATIENCE_MS)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note_request)

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.page.locator("main").wait_for()

    def sign_in(self, token: str) -> None:
        """Open the console, and sign in by its form."""
        self.open("/console")
        self.page.get_by_label("OPS_TOKEN").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation", name="Pages").wait_for()

    def barriers(self) -> list[str]:
        """What axe finds serious or critical, with the first elements that have it."""
        found = self.page.evaluate(f"async () => {{ {self.axe.read_text()}; return await axe.run(document); }}")
        return [_described(each) for each in found["violations"] if each["impact"] in _SERIOUS]

    def width(self) -> int:
        """How wide the page is: more than its window has is to be scrolled."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(self.base):
            self.foreign.append(request.url)


def _described(violation: dict[str, Any]) -> str:
    where = [node["html"] for node in violation["nodes"][:3]]
    why = violation["nodes"][0].get("failureSummary", "")
    return f"{violation['impact']}: {violation['id']} ({violation['help']}) at {json.dumps(where)}: {why}"


@dataclass(frozen=True)
class Chromium:
    """The browser of this machine."""

    browser: Browser
    axe: Path

    @contextmanager
    def visit(self, base: str, scheme: Scheme = "light", width: int = 1280, *, scripts: bool = True) -> Iterator[Visit]:
        """A new profile: nobody is signed in."""
        context = self.browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            timezone_id="Asia/Tokyo",
        )
        try:
            yield Visit(context.new_page(), base, self.axe)
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start it; it ends with this."""
    playwright: Playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield Chromium(browser, node_packages.packages() / AXE)
        finally:
            browser.close()
