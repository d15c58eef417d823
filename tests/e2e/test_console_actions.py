"""What a person does on the console, in a browser: run and pause a job, silence an alert, publish an answer."""

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.support.browser import Chromium, Visit
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console actions")]
PATIENCE_MS = 30_000


def job(running: SandboxedService, name: str):
    return next(each for each in running.get_json("/jobs")["jobs"] if each["job_name"] == name)


def post(program: Program, path: str, body: dict[str, str]) -> httpx.Response:
    return httpx.post(program.url + path, json=body, timeout=30, trust_env=False)


def fired_alert(running: SandboxedService, programs: Programs) -> int:
    """Report a failed job, as the service does, in its outbox. Returns the number of the alert."""
    outbox = Outbox(programs.home / "var" / OUTBOX_FILE)
    alert = Alert(
        fingerprint="stuck",
        level=AlertLevel.ERROR,
        component="scheduler",
        summary="Job 'stuck' failed",
        at=time.time(),
        state="job:stuck",
    )
    IncidentRepository(outbox).add(alert)
    outbox.close()
    found: int = next(each["id"] for each in running.get_json("/alerts")["alerts"] if each["condition"] == "job:stuck")
    return found


def test_a_job_is_run_and_its_bar_appears_without_a_reload(visit: Visit, running: SandboxedService):
    visit.open("/console/jobs/backup_database")
    assert visit.page.locator(".lane .bar").count() == 0
    visit.page.get_by_role("link", name="Run now…").click()
    assert visit.barriers() == []
    visit.page.get_by_role("button", name="Run now").click()

    visit.page.get_by_text("backup_database was started.").wait_for()
    expect(visit.page.locator(".lane .bar")).not_to_have_count(0, timeout=PATIENCE_MS)
    expect(visit.page.locator("tbody .tag", has_text="success").first).to_be_visible(timeout=PATIENCE_MS)
    [run] = running.get_json("/jobs/status?job_name=backup_database")["runs"]
    assert run["metadata"]["requested_by"] == "console, from 127.0.0.1"
    assert visit.barriers() == []


def test_a_job_is_paused_on_all_workers_and_resumed(visit: Visit, running: SandboxedService):
    visit.open("/console/jobs/prune_job_runs")
    visit.page.get_by_label("Reason for a pause").fill("the disk is replaced")
    visit.page.get_by_role("button", name="Pause").click()
    visit.page.get_by_text("by console, from 127.0.0.1: the disk is replaced").wait_for()
    for _ in range(4):  # each worker answers some of them
        assert job(running, "prune_job_runs")["state"] == "paused"
    visit.open("/console/jobs")
    assert (
        visit.page.get_by_role("row", name=re.compile("prune_job_runs")).get_by_text("paused", exact=True).count() == 1
    )
    assert visit.barriers() == []

    visit.open("/console/jobs/prune_job_runs")
    visit.page.get_by_role("button", name="Resume").click()
    visit.page.get_by_text("prune_job_runs is resumed").wait_for()
    assert job(running, "prune_job_runs")["state"] == "scheduled"


def test_an_alert_is_silenced_and_the_silence_is_ended(visit: Visit, running: SandboxedService):
    visit.open("/console/alerts?component=wb")
    visit.page.get_by_label("Reason").fill("the token is replaced")
    assert visit.barriers() == []
    visit.page.get_by_role("button", name="Silence", exact=True).click()
    visit.page.get_by_text("Alerts of wb are silenced for 1h").wait_for()
    assert [each["component"] for each in running.get_json("/alerts")["silences"]] == ["wb"]

    visit.page.get_by_role("button", name="End the silence of wb").click()
    visit.page.get_by_text("The silence of wb has ended.").wait_for()
    assert running.get_json("/alerts")["silences"] == []


def test_an_alert_is_acknowledged_once(visit: Visit, running: SandboxedService, programs: Programs):
    number = fired_alert(running, programs)
    visit.open("/console/alerts")
    button = visit.page.get_by_role("button", name=f"Acknowledge alert {number}", exact=True)
    other = visit.page.context.new_page()  # which another person has open
    other.goto(visit.page.url)
    other.evaluate("Object.defineProperty(document, 'hidden', { value: true })")  # it is not read anew meanwhile

    assert visit.barriers() == []
    button.click()
    visit.page.get_by_text(f"Alert {number} is acknowledged: it is not escalated.").wait_for()
    visit.page.locator("td small", has_text="acknowledged by console, from 127.0.0.1").wait_for()
    expect(button).to_have_count(0)
    assert visit.barriers() == []
    other.get_by_role("button", name=f"Acknowledge alert {number}", exact=True).click()
    other.get_by_text(f"Alert {number} was acknowledged already by console, from 127.0.0.1").wait_for()

    [alert] = [each for each in running.get_json("/alerts")["alerts"] if each["id"] == number]
    assert alert["acknowledged_by"] == "console, from 127.0.0.1"


def test_without_scripts_routes_are_sorted_traces_found_a_job_is_run_and_alerts_are_silenced(
    chromium: Chromium, running: SandboxedService
):
    with chromium.visit(running.service.url, scripts=False) as visit:
        page = visit.page
        visit.sign_in(OPS_TOKEN)
        visit.open("/console/requests")
        page.get_by_role("link", name="Errors").click()
        page.locator("th[aria-sort=descending]", has_text="Errors").wait_for()

        visit.open("/console/traces")
        page.get_by_label("Kind").select_option("job")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name=re.compile("^job sync_wb_reviews")).first.wait_for()

        visit.open("/console/jobs/prune_job_runs/run")
        page.get_by_role("button", name="Run now").click()
        page.get_by_text("was started.").wait_for()

        visit.open("/console/alerts")
        page.get_by_text("Silence a component").click()
        page.get_by_label("Component").fill("ozon")
        page.get_by_label("Reason").fill("the token is replaced")
        page.get_by_role("button", name="Silence", exact=True).click()
        page.get_by_text("Alerts of ozon are silenced for 1h").wait_for()
        page.get_by_role("button", name="End the silence of ozon").click()
        page.get_by_text("The silence of ozon has ended.").wait_for()
        assert (visit.errors, visit.foreign) == ([], [])


def test_a_draft_is_published_and_the_page_shows_the_answer(visit: Visit, running: SandboxedService):
    def drafted():
        found = running.unanswered("wb")
        reviews = [running.get_json(f"/api/v1/reviews/{review['id']}") for review in found[:20]]
        return next((each for each in reviews if each["advice"] and each["advice"]["outcome"] == "drafted"), None)

    review = eventually(drafted, within=120)
    visit.open(f"/console/reviews/{review['id']}")
    assert visit.barriers() == []
    visit.page.get_by_role("button", name="Publish the draft").click()
    visit.page.get_by_text(re.compile("The answer (is published|was sent)")).wait_for()
    stored = eventually(
        lambda: (found := running.get_json(f"/api/v1/reviews/{review['id']}"))["answered"] and found, within=120
    )
    assert stored["answer_text"] == review["advice"]["text"]


def test_a_run_that_is_asked_for_in_a_process_without_a_scheduler_runs_there(programs: Programs):
    """Two processes with one database: one runs the schedule, the other only serves."""
    shared = {"DATABASE_URL": "sqlite:///shared.db"}
    scheduling = programs.serve("--workers", "1", DATA_DIR="var-of-the-one", **shared)
    scheduling.wait_for("/readyz", within=120)
    serving = programs.serve("--workers", "1", "--no-scheduler", DATA_DIR="var-of-the-other", **shared)
    serving.wait_for("/readyz", within=120)

    paused = post(serving, "/jobs/backup_database/pause", {"reason": "moving"})
    started = post(serving, "/jobs/backup_database/run", {"by": "the release"})

    assert (paused.status_code, started.status_code) == (200, 202), started.text
    [run] = eventually(lambda: scheduling.get("/jobs/status?job_name=backup_database&status=success").json()["runs"])
    assert run["run_id"] == started.json()["run_id"]
    assert run["metadata"]["requested_by"] == "the release"
    listed = {each["job_name"]: each for each in scheduling.get("/jobs").json()["jobs"]}
    assert (listed["backup_database"]["state"], listed["backup_database"]["paused"]["reason"]) == ("paused", "moving")
    for process in (scheduling, serving):
        eventually(lambda each=process: 'job_paused{job_name="backup_database"} 1\n' in each.get("/metrics").text)
