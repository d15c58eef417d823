"""The schedule of the service as the console sees and changes it: what the console does is what the API shows."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service.console.console_jobs import ConsoleJobs
from service.database.schedule_tables import JobSuspensionRow, MissedRunRow
from telemetry.console import MissedRun, PageNotFound, Refused
from telemetry.database import transaction

ORIGIN = {"origin": "http://127.0.0.1:8080"}
NOW = datetime.now(UTC)


@pytest.fixture
def app(app_of):
    return app_of()


@pytest.fixture
def client(app):
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def jobs(app):
    return ConsoleJobs(app.state.runtime.job_commands, app.state.runtime.clock)


def add(app, *rows):
    with transaction(app.state.runtime.engine) as session:
        session.add_all(rows)


def listed(client, name):
    return next(job for job in client.get("/jobs").json()["jobs"] if job["job_name"] == name)


def test_what_the_console_pauses_resumes_and_runs_is_what_the_api_shows(app, client):
    paused = client.post("/console/jobs/cleanup_logs/pause", data={"reason": "moving"}, headers=ORIGIN)
    assert (paused.status_code, paused.headers["location"]) == (303, "/console/jobs/cleanup_logs")
    job = listed(client, "cleanup_logs")
    assert (job["state"], job["paused"]["by"], job["paused"]["reason"]) == (
        "paused", "console, from 127.0.0.1", "moving",
    )  # fmt: skip

    assert client.post("/console/jobs/cleanup_logs/run", headers=ORIGIN).status_code == 303
    assert client.post("/console/jobs/cleanup_logs/resume", headers=ORIGIN).status_code == 303
    for thread, _ in app.state.runtime.scheduler.threads.alive():
        thread.join(30)
    assert app.state.telemetry.jobs.recorder.flush(30)

    assert listed(client, "cleanup_logs")["state"] == "scheduled"
    [run] = client.get("/jobs/status?job_name=cleanup_logs").json()["runs"]
    assert run["metadata"]["requested_by"] == "console, from 127.0.0.1"


def test_the_schedule_says_why_a_job_does_not_run_and_when_it_does_next(app, jobs):
    add(
        app,
        JobSuspensionRow(job_name="cleanup_logs", reason="no Premium", since=NOW, retry_at=NOW + timedelta(hours=20)),
    )
    jobs.pause("backup_database", "Anna", "moving")

    found = {job.name: job for job in jobs.schedule()}

    assert (found["sync_wb_orders"].missing, found["sync_wb_orders"].next_run) == ("WB_API_TOKEN is not set.", None)
    assert found["check_resources"].next_run - datetime.now(UTC) <= timedelta(minutes=2)
    assert found["cleanup_logs"].missing.endswith("tried again daily: no Premium")
    assert found["cleanup_logs"].next_run > NOW + timedelta(hours=19)
    backup = found["backup_database"]
    assert (backup.paused_by, backup.pause_reason, backup.next_run) == ("Anna", "moving", None)
    assert backup.cadence == "daily at 03:10 UTC"


def test_missed_runs_and_downtimes_are_listed_from_a_time_on(app, jobs):
    hours = {hour: NOW - timedelta(hours=hour) for hour in (1, 2, 30)}
    for kind, first, last, ticks in (("missed", 30, 30, 1), ("downtime", 2, 1, 5), ("missed", 1, 1, 1)):
        row = {"first_tick": hours[first], "last_tick": hours[last], "ticks": ticks, "noticed_at": NOW}
        add(app, MissedRunRow(job_name="sync", kind=kind, **row))

    assert jobs.missed(NOW - timedelta(days=1)) == [
        MissedRun("sync", hours[1], in_downtime=False, until=hours[1], number=1),
        MissedRun("sync", hours[2], in_downtime=True, until=hours[1], number=5),
    ]


def test_what_the_service_refuses_is_told_in_its_words(jobs):
    with pytest.raises(PageNotFound, match="There is no job 'nope'"):
        jobs.resume("nope", "Anna")
    with pytest.raises(Refused, match=r"sync_wb_orders cannot run: WB_API_TOKEN is not set\."):
        jobs.run_now("sync_wb_orders", "Anna")
    with pytest.raises(Refused, match="A pause needs a reason"):
        jobs.pause("cleanup_logs", "Anna", "\x00 ")
