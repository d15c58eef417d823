"""What a person does in the console: runs a job, follows a failure to its cause, silences an alert, publishes an answer."""

from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from tests.support.browser import Chromium, Visit
from tests.support.processes import Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("console")]
JOB: Final = "cleanup_logs"
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


def test_a_job_is_run_and_its_bar_appears_without_a_reload(visit: Visit):
    visit.open(f"/console/jobs/{JOB}")
    visit.page.get_by_role("link", name="Run now").click()
    visit.page.get_by_role("button", name="Run now").click()
    visit.page.get_by_role("table").get_by_text("by console").first.wait_for()
    visit.page.evaluate("window.sameDocument = true")
    visit.page.get_by_role("table").get_by_text("success").first.wait_for()
    assert visit.page.locator("svg .fill").count() > 0
    assert visit.page.evaluate("window.sameDocument") is True
    assert visit.barriers() == []


def test_a_job_is_paused_with_a_reason_and_resumed(visit: Visit, running: SandboxedService):
    visit.open(f"/console/jobs/{JOB}")
    visit.page.get_by_label("Reason for a pause").fill("the disk is moved")
    visit.page.get_by_role("button", name="Pause").click()
    visit.page.get_by_role("button", name="Resume").wait_for()
    assert "the disk is moved" in running.get("/jobs").text
    assert visit.barriers() == []
    visit.page.get_by_role("button", name="Resume").click()
    visit.page.get_by_role("button", name="Pause").wait_for()


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


def test_an_alert_is_silenced_with_a_reason_and_the_silence_is_ended(visit: Visit):
    visit.open("/console/alerts")
    visit.page.get_by_text("Silence a component").click()
    visit.page.get_by_label("Component").fill("scheduler")
    visit.page.get_by_label("Reason").fill("the warehouse is moved")
    visit.page.get_by_role("button", name="Silence").click()
    end = visit.page.get_by_role("button", name="End the silence of scheduler")
    end.wait_for()
    assert "the warehouse is moved" in visit.page.locator("main").inner_text()
    end.click()
    visit.page.get_by_text("Nothing is silenced.").wait_for()
    assert visit.barriers() == []


def test_an_answer_is_published_as_by_the_api(visit: Visit, running: SandboxedService):
    def has_draft() -> bool:
        for review in running.get_json("/api/v1/reviews?answered=false&limit=50")["reviews"]:
            visit.open(f"/console/reviews/{review['id']}")
            if visit.page.get_by_role("button", name="Publish the draft").count():
                return True
        return False

    eventually(has_draft, within=90)
    number = visit.page.url.rpartition("/")[2]
    visit.page.get_by_role("button", name="Publish the draft").click()
    visit.page.get_by_role("status").first.wait_for()
    assert running.get_json(f"/api/v1/reviews/{number}")["answer_text"]
    assert visit.barriers() == []


def test_what_changes_something_is_refused_from_another_site(running: SandboxedService):
    refused = httpx.post(
        f"{running.service.url}/console/jobs/{JOB}/run", headers={"origin": "http://evil.example"}, trust_env=False
    )
    assert refused.status_code in {401, 403}
