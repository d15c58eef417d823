"""The pages of traces and log lines in a browser: from a failed request to its waterfall and lines, and lines that stay live."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.browser import Chromium, Visit
from tests.support.processes import Program, Programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("trace pages")]
expect.set_options(timeout=60_000)
APP: Final = """
import logging

from fastapi import FastAPI
from opentelemetry import trace

import telemetry
from telemetry import console

app = FastAPI(title="shop")
log = logging.getLogger("shop.orders")
telemetry.start(app=app, jobs=False, alerts=False)
console.mount(app)


@app.get("/orders/{number}")
def read_order(number: int):
    log.info("reads order %s", number)
    with trace.get_tracer("shop").start_as_current_span("asks the marketplace", attributes={"order": number}) as span:
        span.add_event("retried")
    log.warning("The marketplace does not answer.", extra={"component": "wb"})
    raise RuntimeError("the shelf is empty")
"""


@pytest.fixture(scope="module")
def shop(programs: Programs) -> Program:
    programs.write("shop_app.py", APP)
    started = programs.uvicorn("shop_app:app")
    started.wait_for("/console", within=120)
    httpx.get(f"{started.url}/orders/7", timeout=30)
    return started


@pytest.fixture
def visit(chromium: Chromium, shop: Program) -> Iterator[Visit]:
    with chromium.visit(shop.url) as made:
        yield made


def open_trace(visit: Visit) -> None:
    """Waits until it is kept: the page is read again by itself."""
    visit.open("/console/traces?outcome=failed")
    visit.page.get_by_role("link", name="GET /orders/{number}").first.click()
    visit.page.get_by_role("region", name="Waterfall").wait_for()


def test_a_failed_request_leads_to_its_waterfall_and_lines(visit: Visit):
    open_trace(visit)

    expect(visit.page.get_by_role("heading", level=1)).to_contain_text("500")
    expect(visit.page.get_by_text("reads order 7")).to_be_visible()
    expect(visit.page.get_by_text("RuntimeError").first).to_be_visible()
    visit.page.get_by_role("link", name="asks the marketplace").click()
    expect(visit.page.get_by_role("heading", name="asks the marketplace")).to_be_visible()
    expect(visit.page.get_by_role("heading", name="retried")).to_be_visible()
    bars = [each.bounding_box() for each in visit.page.locator(".lane rect.fill").all()]
    assert all(bar is not None and bar["width"] >= 0.5 for bar in bars)
    assert len(bars) == 2
    assert (visit.errors, visit.foreign) == ([], [])


def test_lines_appear_without_a_reload_unless_that_is_stopped(visit: Visit, shop: Program):
    visit.open("/console/logs?text=order+8")
    expect(visit.page.get_by_text("No line that is kept fits this.")).to_be_visible()

    httpx.get(f"{shop.url}/orders/8", timeout=30)

    expect(visit.page.get_by_text("reads order 8")).to_be_visible()
    visit.page.get_by_role("link", name="Stop following").click()
    expect(visit.page.locator("main")).to_have_attribute("data-refresh", "0")
    assert (visit.errors, visit.foreign) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_have_no_barriers_and_fit(chromium: Chromium, shop: Program, scheme, width, tmp_path: Path):
    with chromium.visit(shop.url, scheme, width) as visit:
        open_trace(visit)
        for path in (visit.page.url.removeprefix(shop.url), "/console/traces?window=6h&slower=x", "/console/logs"):
            visit.open(path)
            name = path.partition("?")[0].replace("/", "-")[:20]
            visit.page.screenshot(path=tmp_path / f"{name}-{scheme}-{width}.png", full_page=True)
            assert visit.barriers() == [], path
            assert visit.width() <= width, path
        assert (visit.errors, visit.foreign) == ([], [])
