"""Chromium, as a person uses it, with what goes wrong in a page: errors, requests to others, violations of the policy, barriers."""

import json
import shutil
from collections.abc import Callable, Iterator
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
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
WIDTHS: Final = (1280, 390, 1920)
FOCUSABLE: Final = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
_NOTE_FOCUS: Final = """focusable => {
  Object.defineProperty(document, "hidden", { value: true });  // the page is not read anew meanwhile
  window.walked = new Set(); window.unclear = [];
  document.addEventListener("focusin", ({ target }) => {
    const box = target.getBoundingClientRect(), style = getComputedStyle(target), top = document.querySelector(".top");
    const covered = top && !top.contains(target) && !target.matches(".skip") ? Math.max(0, top.getBoundingClientRect().bottom) : 0;
    const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    const inSight = box.bottom > covered && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    if (!marked || !inSight) window.unclear.push(`${marked ? "out of sight" : "not marked"}: ${target.outerHTML.slice(0, 150)}`);
    window.walked.add(target);
  });
}"""
_OF_CONTENT: Final = """() => [...document.querySelectorAll("main :is(a[href], button, summary, [tabindex='0'])")]
  .filter((each) => each.checkVisibility())"""
_KEY: Final = """(each) => [each.localName, ...["href", "name", "aria-label"].map((of) => each.getAttribute(of)), each.closest("[id]")?.id]
  .join("|")"""
_FOCUS: Final = f"""(place) => {{
  const all = ({_OF_CONTENT})(), each = all[Math.min(place, all.length - 1)];
  each.focus();
  return ({_KEY})(each);
}}"""
_WALKED: Final = """focusable => [
  ...window.unclear,
  ...[...document.querySelectorAll(focusable)].filter((each) => each.checkVisibility() && !window.walked.has(each))
    .map((each) => `not reached: ${each.outerHTML.slice(0, 150)}`),
]"""


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

    def barriers(self, *rules: str) -> list[str]:
        """What axe finds serious or critical, with the first elements that have it; by all of its rules or by some."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(f"() => {{ {self.axe.read_text()} }}")
        options = {"runOnly": list(rules)} if rules else {}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [_described(each) for each in found["violations"] if each["impact"] in _SERIOUS]

    def faults(self, picture: Callable[[str, int], Path]) -> list[str]:
        """What is wrong with the open page, light and dark, narrow and wide. The scheme changes nothing but the colours."""
        found = [] if self.page.locator("h1").count() == 1 else ["The page has not one h1."]
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES if width != max(WIDTHS) else ():
                self.page.emulate_media(color_scheme=scheme)
                self.page.screenshot(path=picture(scheme, width), full_page=True)
                found += [
                    f"{scheme}, {width}: {each}"
                    for each in self.barriers(*([] if scheme == "light" else ["color-contrast"]))
                ]
            if (needed := self.width()) > width:
                found.append(f"{width}: the page is {needed} wide.")
        return found

    def walk(self) -> list[str]:
        """Press Tab from the beginning to the end. What is not reached, not marked, or out of sight while it has the focus."""
        self.page.evaluate(_NOTE_FOCUS, FOCUSABLE)
        number = self.page.locator(FOCUSABLE).count()
        for _ in range(number + 1):
            self.page.keyboard.press("Tab")
        found: list[str] = self.page.evaluate(_WALKED, FOCUSABLE)
        return found

    def refresh(self) -> None:
        """Let the page read itself anew now, and wait until it has."""
        self.page.evaluate("document.querySelector('main h1').className = 'before'; dispatchEvent(new Event('online'))")
        self.page.locator("h1.before").wait_for(state="detached")

    def fragments(self) -> list[str]:
        """Grows by each time that the page is read anew."""
        asked: list[str] = []
        self.page.on("request", lambda each: asked.append(each.url) if "x-console-fragment" in each.headers else None)
        return asked

    def focus_lost_by_a_refresh(self) -> list[str]:
        """Some elements of the content get the focus, one after the other, and the page is read anew each time."""
        found, number = [], self.page.evaluate(f"({_OF_CONTENT})().length")
        for place in sorted({number * part // 4 for part in range(4)} | {number - 1}) if number else []:
            name = self.page.evaluate(_FOCUS, place)
            self.refresh()
            now = self.page.evaluate(f"({_KEY})(document.activeElement)")
            is_there = self.page.evaluate(f"name => ({_OF_CONTENT})().some(each => ({_KEY})(each) === name)", name)
            if (is_there and now != name) or now.startswith("body"):
                found.append(f"{name} → {now}")
        return found

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
