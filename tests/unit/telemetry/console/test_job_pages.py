"""The pages of jobs by requests, with a schedule that a test can read."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry import console
from telemetry.console import MissedRun, PageNotFound, Refused, ScheduledJob, database_reads
from telemetry.jobs import monitor_job
from telemetry.jobs.store.tables import Base
from telemetry.settings import TelemetrySettings

ORIGIN = {"origin": "http://127.0.0.1:8080"}
NOW = datetime.now(UTC)


class FakeSchedule:
    """Remembers what was asked for."""

    def __init__(self):
        self.asked, self.paused = [], None
        self.names = ["orders", "reviews"]

    def schedule(self):
        orders = ScheduledJob(
            "orders",
            "every 15 min",
            NOW + timedelta(days=3, hours=1),
            paused_since=self.paused,
            paused_by="a script" if self.paused else "",
            pause_reason="moving <home>" if self.paused else "",
        )
        return [orders, *(ScheduledJob(name, "daily", missing="WB_API_TOKEN is not set.") for name in self.names[1:])]

    def missed(self, since):
        return [MissedRun("orders", NOW - timedelta(hours=2), until=NOW - timedelta(hours=1), number=4)]

    def run_now(self, name, by):
        if name not in self.names:
            raise PageNotFound(f"There is no job {name!r}.")
        if name == "reviews":
            raise Refused("reviews is already running: since 12:00, started by the schedule.")
        self.asked.append(("run", name, by))

    def pause(self, name, by, reason):
        self.asked.append(("pause", name, by, reason))
        self.paused = NOW

    def resume(self, name, by):
        self.asked.append(("resume", name, by))
        self.paused = None


@pytest.fixture
def schedule():
    return FakeSchedule()


@pytest.fixture
def app(schedule):
    app = FastAPI(title="library")
    running = telemetry.start(app=app, settings=TelemetrySettings())
    telemetry.create_tables(running.engine)
    console.mount(app, options=console.ConsoleOptions(jobs=schedule))
    app.state.running = running
    yield app
    telemetry.shutdown()


@pytest.fixture
def client(app):
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def failed(app):
    """A run that failed, with a child that failed first; and one that succeeded."""
    with monitor_job("<b>odd</b> job/1"):
        pass
    with pytest.raises(ValueError, match="shop"), monitor_job("orders", metadata={"requested_by": "<i>a script"}):
        raise ValueError("no such <shop>")
    assert app.state.running.jobs.recorder.flush(30)


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_the_timeline_has_each_job_of_the_schedule_and_each_that_ran(client, schedule, failed):
    page = client.get("/console/jobs")

    assert page.status_code == 200
    found = re.findall(r'<a href="/console/jobs/([^"]+)">', page.text)
    assert found == ["orders", "reviews", "%3Cb%3Eodd%3C/b%3E%20job/1"]
    assert "<b>odd" not in page.text
    assert 'aria-label="orders: 1 runs, 1 failed, 4 did not begin"' in page.text
    assert page.text.count('class="fill hollow"') == 1
    assert "Runs of the last 24 h" in text(page)
    assert all(word in text(page) for word in ("failing", "not scheduled", "every 15 min", "in 3 days"))


def test_the_overview_has_the_jobs_of_the_last_day_whatever_its_window(client, failed):
    page = client.get("/console?window=15m")

    assert "Jobs, last 24 h" in text(page)
    assert 'aria-label="orders: 1 runs, 1 failed, 4 did not begin"' in page.text


def test_a_paused_job_that_fails_has_both_states(client, schedule, failed):
    schedule.paused = NOW
    shown = client.get("/console/jobs").text
    assert [word for _, word in re.findall(r'class="tag (\w*)"[^>]*>([^<]+)<', shown)][:2] == ["failing", "paused"]


def test_jobs_are_found_by_name_and_a_query_that_makes_no_sense_is_not_used(client):
    for query, shown in (
        ("?q=ORD", ["orders"]),
        ("?q=nothing", []),
        ("?window=14d", ["orders", "reviews"]),
        ("?window=nonsense&page=0&q=", ["orders", "reviews"]),
        ("?page=2&page=x", ["orders", "reviews"]),
        ("?q=%27%22%3Cscript%3E", []),
        ("?q=%00", ["orders", "reviews"]),
    ):
        page = client.get(f"/console/jobs{query}")
        assert page.status_code == 200, query
        assert re.findall(r'<th scope="row"><a href="/console/jobs/([^"?]+)', page.text) == shown, query
        assert "<script>" not in page.text


def test_two_hundred_jobs_are_four_pages(client, schedule):
    schedule.names = ["orders", *(f"job_{n:03d}" for n in range(1, 200))]

    pages = [client.get(f"/console/jobs?page={n}") for n in (1, 2, 3, 4)]

    assert [len(set(re.findall(r"/jobs/(job_\d+|orders)", page.text))) for page in pages] == [50] * 4
    assert max(len(page.content) for page in pages) < 150_000


def test_the_page_of_a_job_has_its_history_with_what_failed_and_who_asked(client, failed):
    page = client.get("/console/jobs/orders")

    assert page.status_code == 200
    assert "no such &lt;shop&gt;" in page.text
    assert "by &lt;i&gt;a script" in page.text
    assert re.search(r'href="/console/traces/[0-9a-f]{32}"', page.text)
    assert "Run now…" in text(page)
    odd = client.get("/console/jobs/%3Cb%3Eodd%3C/b%3E%20job/1?status=failed&before=9")
    assert (odd.status_code, "No run is failed" in text(odd)) == (200, True)
    assert "Run now" not in text(odd)  # it is recorded, and in no schedule


def test_an_unknown_job_is_a_page_with_a_way_back(client):
    for name in ("nope", "nope/run", "orders/x", "%00", "x" * 300):
        page = client.get(f"/console/jobs/{name}")
        assert page.status_code == 404, name
        assert "There is no job" in text(page)
        assert 'href="/console"' in page.text


def test_a_job_is_run_after_a_page_has_asked(client, schedule):
    asked = client.get("/console/jobs/orders/run")
    assert "Run orders now?" in text(asked)
    assert schedule.asked == []

    done = client.post("/console/jobs/orders/run", headers=ORIGIN)

    assert (done.status_code, done.headers["location"]) == (303, "/console/jobs/orders")
    assert schedule.asked == [("run", "orders", "console, from 127.0.0.1")]
    assert "orders was started." in text(client.get("/console/jobs/orders"))


def test_a_job_is_paused_with_a_reason_and_resumed(client, schedule):
    assert client.post("/console/jobs/orders/pause", data={"reason": " moving "}, headers=ORIGIN).status_code == 303
    page = client.get("/console/jobs/orders")
    assert "by a script: moving <home>. No process starts" in text(page).replace("&lt;", "<").replace("&gt;", ">")
    assert "paused" in text(client.get("/console/jobs"))
    assert client.post("/console/jobs/orders/resume", headers=ORIGIN).status_code == 303

    by = "console, from 127.0.0.1"
    assert schedule.asked == [("pause", "orders", by, "moving"), ("resume", "orders", by)]


def test_what_cannot_be_done_is_told_and_changes_nothing(client, schedule):
    for path, form, headers, status, sentence in (
        ("orders/pause", {"reason": " \n"}, ORIGIN, 409, "A pause needs a reason"),
        ("orders/pause", {}, ORIGIN, 409, "A pause needs a reason"),
        ("reviews/run", {}, ORIGIN, 409, "reviews is already running: since 12:00, started by the schedule."),
        ("nope/run", {}, ORIGIN, 404, "There is no job"),
        ("orders/run", {}, {"origin": "https://evil.example"}, 403, "a page of another site"),
        ("orders/resume", {}, {}, 403, "a page of another site"),
    ):
        page = client.post(f"/console/jobs/{path}", data=form, headers=headers)
        assert (page.status_code, sentence in text(page)) == (status, True), path
        assert schedule.asked == []


def test_without_a_database_the_pages_say_so(app, client, schedule):
    Base.metadata.drop_all(app.state.running.engine)

    for path in ("/jobs", "/jobs/orders", "/jobs/orders/run"):
        page = client.get(f"/console{path}")
        assert page.status_code == 200
        assert "cannot be read now" in text(page)


def test_a_database_that_hangs_takes_the_jobs_alone_from_the_overview(client, schedule, monkeypatch):
    monkeypatch.setattr(database_reads, "DEADLINE", 0.05)
    monkeypatch.setattr("telemetry.console.parts.DATABASE_READS", database_reads.DatabaseReads())
    end = threading.Event()
    schedule.schedule = lambda: end.wait(60) and []

    page = client.get("/console")
    end.set()

    assert page.status_code == 200
    assert "Job runs cannot be read now: the database has not answered" in text(page)


def test_a_run_that_became_overdue_shows_its_stack(app, client):
    with monitor_job("orders", max_runtime=timedelta(seconds=0.05)):
        time.sleep(1)
    assert app.state.running.jobs.recorder.flush(30)

    page = client.get("/console/jobs/orders")

    assert "Overdue since" in text(page)
    [stack] = re.findall(r"Stack when it became overdue</summary><pre>(.*?)</pre>", page.text, re.DOTALL)
    assert "in test_a_run_that_became_overdue_shows_its_stack" in stack
