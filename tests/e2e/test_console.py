"""The console in a browser: each page in light and dark, wide and narrow, without errors, requests to others, or barriers."""

import re
from pathlib import Path

import pytest

from tests.support.browser import Chromium, Visit
from tests.support.processes import eventually
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("console")]


def pages(visit: Visit) -> dict[str, str]:
    """The paths of the navigation, by title."""
    links = visit.page.get_by_role("navigation", name="Pages").get_by_role("link").all()
    return {link.inner_text(): str(link.get_attribute("href")) for link in links}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_whole(chromium: Chromium, running: SandboxedService, scheme, width, tmp_path: Path):
    with chromium.visit(running.service.url, scheme, width) as visit:
        visit.sign_in(OPS_TOKEN)
        for title, path in pages(visit).items():
            visit.open(path)
            visit.page.screenshot(path=tmp_path / f"{title.lower()}-{scheme}-{width}.png", full_page=True)
            assert visit.page.locator("h1").count() == 1, title
            assert visit.barriers() == [], title
            assert visit.width() <= width, title
        assert (visit.errors, visit.foreign) == ([], [])


def test_a_wrong_token_is_told(chromium: Chromium, running: SandboxedService):
    with chromium.visit(running.service.url) as visit:
        visit.open("/console?window=6h")
        visit.page.get_by_label("OPS_TOKEN").fill("wrong")
        visit.page.get_by_role("button", name="Sign in").click()
        visit.page.get_by_role("alert").wait_for()
        assert visit.barriers() == []


def test_a_page_stays_live_and_shows_times_of_the_browsers_zone(visit: Visit):
    shown = visit.page.locator("main time").first
    before = shown.get_attribute("datetime")
    assert "UTC" not in shown.inner_text()
    eventually(lambda: visit.page.locator("main time").first.get_attribute("datetime") != before)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", visit.page.locator("main time").first.inner_text())


def test_without_scripts_every_page_is_there(chromium: Chromium, running: SandboxedService):
    with chromium.visit(running.service.url, scripts=False) as visit:
        visit.sign_in(OPS_TOKEN)
        for title, path in pages(visit).items():
            visit.open(path)
            assert visit.page.locator("h1").count() == 1, title
