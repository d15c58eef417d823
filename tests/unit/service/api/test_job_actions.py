"""POST /jobs/{job_name}/run, …/pause, …/resume."""

from itertools import product

import pytest
from fastapi.testclient import TestClient

from service.main import create_app
from service.settings import Settings
from telemetry import setup

TOKEN = "the-token-of-the-tests"
JSON = {"content-type": "application/json"}


@pytest.fixture
def app(app_of):
    return app_of()


@pytest.fixture
def client(app):
    return TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 50000))


def listed(client, name):
    return next(job for job in client.get("/jobs").json()["jobs"] if job["job_name"] == name)


def until_ended(app):
    for thread, _ in app.state.runtime.scheduler.threads.alive():
        thread.join(30)


def test_a_paused_job_is_listed_with_since_when_by_whom_and_why_until_it_is_resumed(client):
    answer = client.post("/jobs/cleanup_logs/pause", json={"reason": "the disk is replaced", "by": "Anna"})

    assert answer.status_code == 200, answer.text
    pause = answer.json()["paused"]
    assert (pause["by"], pause["reason"]) == ("Anna", "the disk is replaced")
    job = listed(client, "cleanup_logs")
    assert (job["state"], job["next_run"], job["paused"]) == ("paused", None, pause)
    since = f"{pause['since'][:16].replace('T', ' ')} UTC"
    assert job["reason"] == f"Paused since {since} by Anna: the disk is replaced"
    assert listed(client, "backup_database")["paused"] is None

    assert client.post("/jobs/cleanup_logs/resume", headers=JSON).json() == {
        "job_name": "cleanup_logs",
        "paused": None,
    }
    job = listed(client, "cleanup_logs")
    assert (job["state"], job["reason"], job["paused"]) == ("scheduled", None, None)
    assert job["next_run"]


def test_a_job_without_its_settings_is_not_scheduled_also_while_it_is_paused(client):
    client.post("/jobs/sync_wb_orders/pause", json={"reason": "moving"})

    job = listed(client, "sync_wb_orders")

    assert (job["state"], job["reason"]) == ("not scheduled", "WB_API_TOKEN is not set.")
    assert (job["paused"]["by"], job["paused"]["reason"]) == ("the API, from 127.0.0.1", "moving")


def test_a_run_is_started_and_listed_with_who_asked_also_of_a_paused_job(app, client):
    client.post("/jobs/check_resources/pause", json={"reason": "moving"})

    answer = client.post("/jobs/check_resources/run", json={"by": "Anna"})
    until_ended(app)

    assert answer.status_code == 202, answer.text
    assert answer.json()["requested_by"] == "Anna"
    assert app.state.telemetry.jobs.recorder.flush(30)
    [run] = client.get("/jobs/status?job_name=check_resources").json()["runs"]
    assert (run["run_id"], run["scheduled_for"]) == (answer.json()["run_id"], None)
    assert run["metadata"]["requested_by"] == "Anna"


def test_a_run_of_an_active_job_is_a_409(app, client):
    app.state.runtime.claims.claim_manual_run("check_resources", "another process")

    answer = client.post("/jobs/check_resources/run", headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["detail"].startswith("check_resources is running already, since a moment ago.")


def test_an_unknown_job_is_a_404_that_names_those_that_there_are(client):
    for name, action in product(("nope", "a/b", "status", "check_resources/run"), ("run", "pause", "resume")):
        answer = client.post(f"/jobs/{name}/{action}", json={"reason": "moving"} if action == "pause" else {})

        assert answer.status_code == 404, (name, action)
        assert answer.json()["detail"].startswith(f"There is no job {name!r}. There are: backup_database, ")


def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(client):
    for path, body, status in (
        ("/jobs/cleanup_logs/pause", {}, 422),
        ("/jobs/cleanup_logs/pause", {"reason": ""}, 422),
        ("/jobs/cleanup_logs/pause", {"reason": " \n\u0000"}, 422),
        ("/jobs/cleanup_logs/pause", {"reason": 5}, 422),
        ("/jobs/cleanup_logs/pause", {"reason": "x" * 501}, 422),
        ("/jobs/cleanup_logs/pause", {"reason": "x", "until": "tomorrow"}, 422),
        ("/jobs/cleanup_logs/run", {"by": ""}, 422),
        ("/jobs/cleanup_logs/run", {"by": ["Anna"]}, 422),
        ("/jobs/sync_wb_orders/run", {}, 409),
    ):
        answer = client.post(path, json=body)

        said = (answer.status_code, answer.headers["content-type"])
        assert said == (status, "application/problem+json"), (path, body)
        assert listed(client, "cleanup_logs")["paused"] is None, (path, body)
        assert client.get("/jobs/status").json()["runs"] == [], (path, body)


def test_the_reason_why_a_job_cannot_run_is_told(client):
    answer = client.post("/jobs/sync_wb_orders/run", headers=JSON)

    assert answer.json()["detail"] == "sync_wb_orders cannot run: WB_API_TOKEN is not set."


def test_a_page_of_another_site_changes_nothing(client):
    body = b'{"reason": "moving"}'
    for action in ("run", "pause", "resume"):
        url = f"/jobs/cleanup_logs/{action}"
        foreign = client.post(url, content=body, headers={**JSON, "origin": "https://evil.example"})
        form = client.post(url, content=body, headers={"content-type": "text/plain"})

        assert (foreign.status_code, form.status_code) == (403, 415), action
        assert listed(client, "cleanup_logs")["state"] == "scheduled", action


def test_without_a_database_it_is_a_503(tmp_path):
    app = create_app(Settings(database_url="postgresql://127.0.0.1:1/sovani", scheduler=False))
    client = TestClient(app, raise_server_exceptions=False)

    for action in ("run", "pause", "resume"):
        answer = client.post(f"/jobs/cleanup_logs/{action}", json={"reason": "moving"} if action == "pause" else {})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")

    setup.shutdown()
    app.state.runtime.engine.dispose()
