"""A failed request, followed in a browser from the list of traces to its spans and log lines."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.browser import Chromium, Visit
from tests.support.processes import Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("console")]
APP: Final = """
import logging

from service.main import create_app

app = create_app()


@app.get("/broken")
def broken():
    logging.getLogger("shelf").warning("looking at shelf 7")
    raise RuntimeError("the shelf is empty")
"""


@pytest.fixture(scope="module")
def running(programs: Programs) -> SandboxedService:
    """One worker, with a route that fails."""
    programs.write("broken_app.py", APP)
    port = free_port()
    service = programs.uvicorn("broken_app:app", SANDBOX="true", SANDBOX_PORT=str(port), OPS_TOKEN=OPS_TOKEN)
    started = SandboxedService.at(service, port)
    eventually(started.first_results, within=120)
    return started


@pytest.fixture
def visit(chromium: Chromium, running: SandboxedService) -> Iterator[Visit]:
    """Signed in. In the end there was no error in the browser, and no request to another host."""
    with chromium.visit(running.service.url) as made:
        made.open("/console")
        made.page.get_by_label("OPS_TOKEN").fill(OPS_TOKEN)
        made.page.get_by_role("button", name="Sign in").click()
        made.page.get_by_role("navigation", name="Pages").wait_for()
        yield made
        assert (made.errors, made.foreign) == ([], [])


def test_a_failed_request_leads_to_its_spans_and_log_lines(visit: Visit, running: SandboxedService):
    assert running.get("/broken").status_code == 500

    def has_route() -> bool:
        visit.open("/console/traces?failed=true")
        return visit.page.get_by_role("link", name="/broken").count() > 0

    eventually(has_route)
    visit.page.get_by_role("link", name="/broken").first.click()
    visit.page.get_by_role("heading", name="/broken").first.wait_for()
    content = visit.page.locator("main").inner_text()
    assert "RuntimeError" in content
    assert "looking at shelf 7" in content
    assert visit.barriers() == []
