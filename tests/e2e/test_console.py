"""The console in a browser: each page in light and dark, wide and narrow, by keyboard, live, and without scripts."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Chromium, Visit
from tests.support.processes import eventually
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("console")]
PATIENCE_MS: Final = 60_000
JOB: Final = "/console/jobs/sync_wb_reviews"
ROUTE: Final = "/console/requests/route?method=GET&route=/jobs/status"
SILENCE: Final = "/console/alerts?component=wb"
ODD: Final = "/console/traces?window=week&slower=soon&kind=none&status=%00&name=" + "x" * 300
Paths = dict[str, str]


@pytest.fixture(scope="module")
def paths(chromium: Chromium, running: SandboxedService) -> Paths:
    """All pages by name: those of the navigation, and those that they lead to."""
    with chromium.visit(running.service.url) as visit:
        visit.sign_in(OPS_TOKEN)
        links = visit.page.get_by_role("navigation", name="Pages").get_by_role("link").all()
        found = {link.inner_text(): str(link.get_attribute("href")) for link in links}
    trace = re.search(r"/console/traces/[0-9a-f]{32}", running.get("/console/traces?kind=job").text)
    assert trace is not None
    review = running.get_json("/api/v1/reviews?limit=1")["reviews"][0]["id"]
    eventually(lambda: running.get(ROUTE).status_code == httpx.codes.OK)
    own = {"trace": trace[0], "review": f"/console/reviews/{review}", "job": JOB, "before a run": f"{JOB}/run"}
    return found | own | {"route": ROUTE, "silence": SILENCE, "odd values": ODD}


@pytest.fixture
def gone(running: SandboxedService) -> Paths:
    """Pages that say why there is no other."""
    del running
    return {
        "gone trace": f"/console/traces/{'0' * 32}",
        "no trace": "/console/traces/none",
        "unknown job": "/console/jobs/none",
        "unknown route": "/console/requests/route?route=/none",
        "unknown review": "/console/reviews/none",
        "unknown page": "/console/none",
    }


def test_every_page_is_whole(visit: Visit, paths: Paths, tmp_path: Path):
    wrong = {}
    for name, path in paths.items():
        visit.open(path)
        wrong[name] = visit.faults(lambda scheme, width, name=name: tmp_path / f"{name}-{scheme}-{width}.png")
    assert {name: faults for name, faults in wrong.items() if faults} == {}


def test_pages_that_say_why_there_is_no_other_are_whole(visit: Visit, gone: Paths, tmp_path: Path):
    wrong = {}
    for name, path in gone.items():
        visit.open(path)
        wrong[name] = visit.faults(lambda scheme, width, name=name: tmp_path / f"{name}-{scheme}-{width}.png")
        visit.page.get_by_role("link", name="Back to the overview").wait_for()
    visit.open(JOB)
    visit.page.eval_on_selector("form[action*=pause]", "form => { form.noValidate = true; }")
    visit.page.get_by_role("button", name="Pause").click()
    visit.page.get_by_text("A pause needs a reason").wait_for()
    wrong["refused"] = visit.faults(lambda scheme, width: tmp_path / f"refused-{scheme}-{width}.png")
    assert {name: faults for name, faults in wrong.items() if faults} == {}
    visit.errors[:] = [each for each in visit.errors if not re.search(r"status of 40[49]", each)]


def test_a_wrong_token_is_told(chromium: Chromium, running: SandboxedService, tmp_path: Path):
    with chromium.visit(running.service.url) as visit:
        visit.open("/console?window=6h")
        assert visit.faults(lambda scheme, width: tmp_path / f"sign-in-{scheme}-{width}.png") == []
        visit.page.get_by_label("OPS_TOKEN").fill("wrong")
        visit.page.get_by_role("button", name="Sign in").click()
        visit.page.get_by_role("alert").wait_for()
        assert visit.faults(lambda scheme, width: tmp_path / f"wrong-{scheme}-{width}.png") == []


def test_each_page_is_used_by_keyboard(visit: Visit, paths: Paths):
    wrong = {}
    for name, path in paths.items():
        visit.open(path)
        wrong[name] = visit.walk()
    assert {name: faults for name, faults in wrong.items() if faults} == {}


def test_by_tab_and_enter_from_the_sign_in_to_the_page_before_a_run(chromium: Chromium, running: SandboxedService):
    with chromium.visit(running.service.url) as visit:
        visit.open("/console")
        visit.page.keyboard.type(OPS_TOKEN)  # the field has the focus
        visit.page.keyboard.press("Enter")
        visit.page.get_by_role("navigation", name="Pages").wait_for()
        tab_to(visit.page, "Skip to the content")
        visit.page.keyboard.press("Enter")
        tab_to(visit.page, "15 min")  # the first link of the content, without those of the navigation
        visit.open("/console")
        for name, url in (
            ("Jobs", "/console/jobs"),
            ("backup_database", "/jobs/backup_database"),
            ("Run now…", "/jobs/backup_database/run"),
        ):
            tab_to(visit.page, name)
            visit.page.keyboard.press("Enter")
            visit.page.wait_for_url(f"**{url}")
            visit.page.locator("main").wait_for()
        tab_to(visit.page, "Run now")
        assert (visit.errors, visit.foreign) == ([], [])


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of that text has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"Tab does not lead to {name}.")


def test_a_refresh_takes_nothing_away(visit: Visit, paths: Paths):
    """The focus, open parts, what is typed and how far it is scrolled."""
    visit.page.set_viewport_size({"width": 390, "height": 600})
    for name in set(paths) - {"trace"}:  # which is not read anew
        visit.open(paths[name])
        assert visit.focus_lost_by_a_refresh() == [], name
    visit.open(paths["Overview"])
    processes, jobs = visit.page.locator(".table[aria-label=Processes]"), visit.page.locator("#jobs")
    visit.page.evaluate("document.querySelector('.todo').remove()")  # as if the page were to grow
    jobs.evaluate("each => each.scrollIntoView()")
    top, left = jobs.evaluate("each => each.getBoundingClientRect().top"), scrolled_sideways(processes)
    visit.refresh()
    assert jobs.evaluate("each => each.getBoundingClientRect().top") == pytest.approx(top, abs=2)
    assert processes.evaluate("each => each.scrollLeft") == left > 0
    visit.open(paths["Overview"])
    visit.page.locator("details summary").first.click()
    visit.refresh()
    assert visit.page.locator("details").first.get_attribute("open") is not None
    visit.open(SILENCE)
    visit.page.get_by_label("Reason").fill("the warehouse is moved")
    visit.page.get_by_label("For").select_option("4h")
    visit.page.get_by_role("button", name="Silence", exact=True).focus()
    visit.refresh()
    assert visit.page.get_by_label("Reason").input_value() == "the warehouse is moved"
    assert visit.page.get_by_label("For").input_value() == "4h"


def scrolled_sideways(region: Locator) -> float:
    return float(region.evaluate("each => { each.scrollLeft = 40; return each.scrollLeft; }"))


def test_a_page_waits_while_somebody_is_in_a_field_or_selects(visit: Visit):
    visit.open("/console/logs")
    asked = visit.fragments()
    visit.page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('main h1')); dispatchEvent(new Event('online'))"
    )
    visit.page.evaluate("Date.now = (now => () => now() + 60_000)(Date.now); dispatchEvent(new Event('online'))")
    expect(visit.page.locator("#stale")).to_contain_text("the page waits while you are in a field")
    before = len(asked)
    visit.page.get_by_label("Text").focus()
    visit.page.evaluate("getSelection().removeAllRanges(); dispatchEvent(new Event('online'))")
    assert len(asked) == before
    visit.page.get_by_role("button", name="Find").focus()
    expect(visit.page.locator("#stale")).to_be_hidden()
    assert len(asked) > before


def test_a_tab_in_the_background_asks_for_nothing(visit: Visit):
    visit.open("/console/jobs")
    visit.page.evaluate("window.away = true; Object.defineProperty(document, 'hidden', { get: () => window.away })")
    asked = visit.fragments()
    for _ in range(3):
        visit.page.evaluate("dispatchEvent(new Event('online')); new Promise(done => setTimeout(done, 50))")
    assert asked == []
    visit.page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    eventually(lambda: visit.page.evaluate("1") and asked)


def test_a_request_appears_without_a_reload(visit: Visit, running: SandboxedService):
    visit.open("/console/requests?find=/api/v1/orders&window=15m")
    visit.page.evaluate("window.is_the_same = true")
    visit.page.get_by_text("No route with").wait_for()
    for _ in range(3):
        running.get_json("/api/v1/orders?limit=1")
    row = visit.page.get_by_role("row", name="GET /api/v1/orders")
    expect(row.locator("td").first).to_have_text("3", timeout=PATIENCE_MS)
    assert visit.page.evaluate("window.is_the_same")


def test_a_service_that_goes_away_is_told_and_comes_back(visit: Visit):
    visit.open("/console/jobs")
    note = visit.page.locator("#stale")
    visit.page.route("**/console/jobs", lambda route: route.abort())
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(note).to_contain_text("The service does not answer.", timeout=PATIENCE_MS)
    assert visit.barriers() == []
    visit.page.unroute("**/console/jobs")
    visit.page.route(
        "**/console/jobs", lambda route: route.fulfill(status=503, body="<main id='main'><p>It is busy.</p></main>")
    )
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(note).to_contain_text("It is busy.", timeout=PATIENCE_MS)
    visit.page.unroute("**/console/jobs")
    visit.page.evaluate("dispatchEvent(new Event('online'))")
    expect(note).to_be_hidden(timeout=PATIENCE_MS)
    visit.errors[:] = [each for each in visit.errors if not re.search(r"ERR_FAILED|status of 503", each)]


def test_who_is_signed_out_meanwhile_is_told_and_led_back(visit: Visit):
    visit.open("/console/jobs?window=6h")
    visit.page.context.clear_cookies()
    visit.page.get_by_text("You are signed out").wait_for()
    assert visit.page.locator("main main, nav, table").count() == 0
    assert visit.barriers() == []
    visit.page.get_by_label("OPS_TOKEN").fill(OPS_TOKEN)
    visit.page.get_by_role("button", name="Sign in").click()
    visit.page.get_by_role("heading", name="Jobs").first.wait_for()
    assert visit.page.url.endswith("/console/jobs?window=6h")


def test_times_are_those_of_the_browsers_zone(visit: Visit):
    """Nine hours from UTC, which the pointer shows."""
    visit.open("/console/jobs")
    shown = visit.page.locator("main time[data-style=clock]").first
    at = datetime.fromisoformat(str(shown.get_attribute("datetime")))
    assert shown.inner_text() == f"{at + timedelta(hours=9):%H:%M:%S}"
    assert shown.get_attribute("title") == f"{at:%Y-%m-%d %H:%M:%S} UTC"
    visit.page.get_by_text("Times are in Asia/Tokyo").wait_for()


def test_without_scripts_every_page_is_there_with_times_in_utc(
    chromium: Chromium, running: SandboxedService, paths: Paths
):
    with chromium.visit(running.service.url, scripts=False) as visit:
        visit.sign_in(OPS_TOKEN)
        for name, path in paths.items():
            visit.open(path)
            assert visit.page.locator("h1").count() == 1, name
            times = visit.page.locator("time[data-style=clock]").all_text_contents()
            assert [each for each in times if not each.endswith("UTC")] == [], name
        visit.page.get_by_text("Times are in UTC").wait_for()
