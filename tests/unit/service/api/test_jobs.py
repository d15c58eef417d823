from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from service.database.schedule_tables import JobSuspensionRow, MissedRunRow
from service.jobs.schedule import JOBS
from service.scheduler.cadence import DailyAt, Every
from service.scheduler.job import Job, Schedule
from telemetry.database import transaction
from telemetry.jobs import monitor_job
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.tables import JobRunRow
from telemetry.semconv import OUTCOMES

BEGAN = datetime(2025, 10, 2, 12, tzinfo=UTC)
COLUMNS = [
    "id",
    "job_name",
    "started_at",
    "finished_at",
    "status",
    "outcome",
    "duration_seconds",
    "error_message",
    "metadata",
    "run_id",
    "trace_id",
    "span_id",
    "scheduled_for",
    "worker",
    "heartbeat_at",
    "deadline_at",
    "overdue_at",
    "slowest_child",
    "slowest_child_seconds",
    "first_error",
    "overdue_stack",
    "cpu_seconds",
    "cost_usd",
    "delay_seconds",
]
THE_CONTRACTS = [
    "job_name",
    "total_runs",
    "successful_runs",
    "failed_runs",
    "success_rate",
    "avg_duration_seconds",
    "last_run",
    "last_status",
]


@pytest.fixture
def app(app_of):
    return app_of()


@pytest.fixture
def client(app):
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def write(app):
    """Writes runs of a job: `None` is running, a number is a success of so many seconds, a text is a failure."""
    store, written = app.state.telemetry.jobs.store, []

    def write(job_name, *results, began=BEGAN):
        runs = [a_run(len(written) + number, job_name, result, began) for number, result in enumerate(results)]
        written.extend(runs)
        store.write(runs)

    return write


def a_run(number, job_name, result, began):
    trace_id, span_id = f"{number:032x}", f"{number:016x}"
    seconds = result if isinstance(result, int | float) else 1.0
    failed, running = isinstance(result, str), result is None
    return JobRun(
        run_id=trace_id + span_id,
        job_name=job_name,
        status="running" if running else "failed" if failed else "success",
        outcome=None if running else "error" if failed else "success",
        started_at=began,
        finished_at=None if running else began + timedelta(seconds=seconds),
        duration_seconds=None if running else seconds,
        error_message=result if failed else None,
        metadata={"number": number},
        trace_id=trace_id,
        span_id=span_id,
        worker="host:1",
        heartbeat_at=began,
        scheduled_for=began,
    )


def runs(client, **query):
    answer = client.get("/jobs/status", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"]


def detail(answer, status):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["instance"]) == (status, answer.request.url.path)
    return problem["detail"]


def test_every_column_of_a_run_is_told(client, write):
    write("sync", "no such shop")

    [run] = runs(client)

    assert list(run) == COLUMNS
    assert run | {"id": 0} == {
        "id": 0,
        "job_name": "sync",
        "started_at": "2025-10-02T12:00:00Z",
        "finished_at": "2025-10-02T12:00:01Z",
        "status": "failed",
        "outcome": "error",
        "duration_seconds": 1.0,
        "error_message": "no such shop",
        "metadata": {"number": 0},
        "run_id": "0" * 48,
        "trace_id": "0" * 32,
        "span_id": "0" * 16,
        "scheduled_for": "2025-10-02T12:00:00Z",
        "worker": "host:1",
        "heartbeat_at": run["heartbeat_at"],
        "deadline_at": None,
        "overdue_at": None,
        "slowest_child": None,
        "slowest_child_seconds": None,
        "first_error": None,
        "overdue_stack": None,
        "cpu_seconds": None,
        "cost_usd": None,
        "delay_seconds": 0.0,
    }


STACK = """In the application's own code, innermost first:
  shop/stock/sync.py:41 in read
  shop/stock/sync.py:12 in sync_stock

Thread job-sync:
"""


def write_stack(app, stack):
    run = replace(a_run(7, "sync", 1, BEGAN), overdue_at=BEGAN, overdue_stack=stack)
    app.state.telemetry.jobs.store.write([run])
    return run.run_id


def test_a_list_has_the_beginning_of_a_stack_and_the_run_itself_the_whole(app, client):
    run_id = write_stack(app, whole := STACK + "> shop/stock/sync.py:41 in read\n" * 500)

    answer = client.get(f"/jobs/runs/{run_id}")

    [listed] = runs(client)
    assert answer.status_code == 200
    assert answer.json()["overdue_stack"] == whole
    assert listed["overdue_stack"] == STACK.partition("\n\n")[0]
    assert listed == answer.json() | {"overdue_stack": listed["overdue_stack"]}


@pytest.mark.parametrize("stack", ["Thread job-sync:\n" + "  lib/a.py:1 in f\n" * 900, "x" * 16_384])
def test_of_a_stack_without_frames_of_the_application_a_list_has_the_first_lines(app, client, stack):
    write_stack(app, stack)

    [listed] = runs(client)

    assert stack.startswith(listed["overdue_stack"])
    assert 0 < len(listed["overdue_stack"]) <= 1000


def test_a_run_that_does_not_exist_is_not_found(client, write):
    write("sync", 1)
    unknown = "f" * 48

    assert detail(client.get(f"/jobs/runs/{unknown}"), 404) == (
        f"There is no run {unknown}. GET /jobs/status lists the runs."
    )
    assert client.get("/jobs/runs/sync").status_code == 422


def test_how_late_a_run_began_is_told(app, client):
    late = replace(a_run(0, "sync", 1, BEGAN), scheduled_for=BEGAN - timedelta(seconds=2.5))
    by_hand = replace(a_run(1, "sync", 1, BEGAN), scheduled_for=None)
    app.state.telemetry.jobs.store.write([late, by_hand])

    assert [run["delay_seconds"] for run in runs(client)] == [None, 2.5]


def test_a_run_that_has_not_ended_has_no_end(client, write):
    write("sync", None)

    [run] = runs(client)

    assert run["status"] == "running"
    assert [run[name] for name in ("finished_at", "outcome", "duration_seconds", "error_message")] == [None] * 4


def test_runs_are_told_newest_first_and_fifty_unless_asked_otherwise(client, write):
    write("sync", *[1] * 60)

    told = runs(client)

    assert [run["metadata"]["number"] for run in told] == list(range(59, 9, -1))
    assert len(runs(client, limit=1000)) == 60
    assert len(runs(client, limit=1)) == 1


def test_runs_are_told_by_job_and_by_status(client, write):
    write("one", 1, "broken", None)
    write("two", "broken")

    assert {run["job_name"] for run in runs(client, job_name="one")} == {"one"}
    assert [run["job_name"] for run in runs(client, status="failed")] == ["two", "one"]
    assert [run["metadata"]["number"] for run in runs(client, job_name="one", status="failed")] == [1]
    assert runs(client, job_name="two", status="running") == []


def test_runs_are_told_by_outcome(app, client, write):
    write("sync", 1, "broken", None)
    app.state.telemetry.jobs.store.write([replace(a_run(3, "sync", 1, BEGAN), outcome="skipped")])

    told = {outcome: [run["metadata"]["number"] for run in runs(client, outcome=outcome)] for outcome in OUTCOMES}

    assert told == {"success": [0], "error": [1], "timeout": [], "cancelled": [], "lost": [], "skipped": [3]}
    assert len(runs(client, status="success")) == 2
    assert runs(client, status="failed", outcome="skipped") == []
    assert len(runs(client, outcome="")) == 4
    assert client.get("/jobs/status", params={"outcome": "bored"}).status_code == 422


def test_the_links_lead_through_all_runs_once_also_while_new_ones_come(client, write):
    write("sync", *[1] * 25)
    write("other", 1)

    url, seen, pages = "/jobs/status?job_name=sync&limit=10", [], 0
    while url:
        answer = client.get(url)
        seen += [run["metadata"]["number"] for run in answer.json()["runs"]]
        write("sync", 1)
        url, pages = answer.links.get("next", {}).get("url"), pages + 1

    assert seen == list(range(24, -1, -1))
    assert pages == 3


def test_the_link_keeps_what_was_asked_for(client, write):
    write("sync", "broken", "broken", "broken")

    first = client.get("/jobs/status", params={"status": "failed", "job_name": "sync", "limit": 2})
    last = first.json()["runs"][-1]["id"]

    assert first.headers["link"] == f'</jobs/status?status=failed&job_name=sync&limit=2&before={last}>; rel="next"'


def test_a_page_that_is_not_full_has_no_next_one(client, write):
    write("sync", 1)

    assert "link" not in client.get("/jobs/status").headers


def test_a_query_that_makes_no_sense_is_answered_with_what_it_was_and_what_it_may_be(client):
    for query, sentence in (
        ({"limit": "1001"}, "limit must be a whole number from 1 to 1000; got 1001."),
        ({"before": str(2**63)}, f"before must be a whole number from 1 to {2**63 - 1}; got {2**63}."),
        ({"status": "nonsense"}, "status must be running, success or failed; got nonsense."),
        ({"job_name": "j" * 101}, f"job_name must be a text of at most 100 characters; got {'j' * 80}."),
    ):
        assert detail(client.get("/jobs/status", params=query), 422) == sentence


def test_everything_that_is_wrong_is_said_at_once(client):
    said = detail(client.get("/jobs/status", params={"limit": "0", "status": "x"}), 422)

    limit = "limit must be a whole number from 1 to 1000; got 0."
    assert said == f"status must be running, success or failed; got x. {limit}"


def test_the_largest_id_is_as_good_as_none(client, write):
    write("sync", 1)

    assert len(runs(client, before=2**63 - 1)) == 1


def test_an_unknown_job_is_answered_with_those_that_there_are(client, write):
    write("by_hand", 1)

    said = {detail(client.get(path), 404) for path in ("/jobs/status?job_name=nobody", "/jobs/stats/nobody")}

    names = sorted(["by_hand", *(job.name for job in JOBS)])
    assert said == {f"There is no job 'nobody'. There are: {', '.join(names)}."}


def test_a_name_that_nobody_would_give_a_job_is_unknown_and_nothing_else(client):
    for name in ("%00", "%2e%2e", "%F0%9F%92%A5", "a%2Fb", "'%3B DROP TABLE job_runs"):
        assert detail(client.get(f"/jobs/status?job_name={name}"), 404).startswith("There is no job "), name
        assert detail(client.get(f"/jobs/stats/{name}"), 404), name


def test_a_job_may_have_a_slash_in_its_name(client, write):
    for name in ("a/b", "/a", "a/", "a//b", "a b?c#d", "stats/a"):
        write(name, 1)

        assert client.get(f"/jobs/stats/{quote(name, safe='')}").json()["job_name"] == name


def test_the_statistics_are_the_contracts(client, write):
    write("sync_wb_orders", *[12.5] * 98, "Timeout", "Timeout")

    told = client.get("/jobs/stats/sync_wb_orders").json()

    assert {name: told[name] for name in THE_CONTRACTS} == {
        "job_name": "sync_wb_orders",
        "total_runs": 100,
        "successful_runs": 98,
        "failed_runs": 2,
        "success_rate": 98.0,
        "avg_duration_seconds": 12.27,
        "last_run": "2025-10-02T12:00:00Z",
        "last_status": "failed",
    }


def test_the_statistics_say_more_than_the_contract(client, write):
    write("sync", *range(1, 101))
    write("sync", "broken", None, began=BEGAN + timedelta(hours=1))

    told = client.get("/jobs/stats/sync").json()

    assert [told[f"p{percent}_duration_seconds"] for percent in (50, 95, 99)] == [50.0, 95.0, 99.0]
    assert told["current_streak"] == {"status": "failed", "runs": 1}
    assert told["last_success"] == "2025-10-02T12:01:40Z"
    assert (told["running_runs"], told["last_status"]) == (1, "running")
    assert (told["next_run"], told["window_seconds"]) == (None, None)
    assert [told[f"{outcome}_runs"] for outcome in ("error", "timeout", "cancelled", "lost")] == [1, 0, 0, 0]
    assert (told["missed_runs"], told["downtime_ticks"]) == (0, 0)
    assert told["trend"] == {"verdict": "unknown", "recent_seconds": 98.0, "usual_seconds": None, "ratio": None}
    assert told["by_day"] == [
        {
            "day": "2025-10-02",
            "success": 100,
            "error": 1,
            "timeout": 0,
            "cancelled": 0,
            "lost": 0,
            "skipped": 0,
            "avg_duration_seconds": 50.009901,
        }
    ]


def test_a_job_that_takes_a_fraction_of_what_it_used_to_is_said_to_be_fast(client, write):
    now = datetime.now(UTC)
    for day in range(20, 2, -1):
        write("sync", 3000, 3010, began=now - timedelta(days=day))
    write("sync", *[120] * 5, began=now - timedelta(hours=1))

    trend = client.get("/jobs/stats/sync").json()["trend"]

    assert (trend["verdict"], trend["recent_seconds"]) == ("fast", 120.0)
    assert trend["usual_seconds"] == pytest.approx(3000, rel=0.02)


def test_ticks_that_were_missed_are_told_with_the_statistics_of_their_window(client, app, write):
    now = datetime.now(UTC)
    write("sync", 1)
    with transaction(app.state.telemetry.engine) as session:
        for kind, ticks, age in (("missed", 2, 1), ("missed", 4, 50), ("downtime", 3, 1)):
            noticed = now - timedelta(hours=age)
            session.add(
                MissedRunRow(
                    job_name="sync",
                    kind=kind,
                    first_tick=noticed,
                    last_tick=noticed,
                    ticks=ticks,
                    noticed_at=noticed,
                )
            )

    for window, missed in (("24h", 2), (None, 6)):
        told = client.get("/jobs/stats/sync", params={"window": window} if window else {}).json()
        assert (told["missed_runs"], told["downtime_ticks"]) == (missed, 3)


def test_a_job_of_the_schedule_that_never_ran_has_statistics_of_nothing(client):
    told = client.get("/jobs/stats/check_resources").json()

    assert [told[name] for name in THE_CONTRACTS] == ["check_resources", 0, 0, 0, None, None, None, None]
    assert datetime.fromisoformat(told["next_run"]) > datetime.now(UTC)
    assert told["current_streak"] is None


def test_a_window_counts_the_runs_that_ended_in_it(client, write):
    now = datetime.now(UTC)
    for age in (timedelta(days=10), timedelta(days=3), timedelta(minutes=61)):
        write("sync", 1, began=now - age)

    for window, seconds, runs in (
        ("90s", 90, 0),
        ("59m", 59 * 60, 0),
        ("2h", 2 * 3600, 1),
        ("7d", 7 * 86400, 2),
        ("2w", 14 * 86400, 3),
        ("99999w", 36_500 * 86400, 3),  # more than a hundred years are a hundred years
    ):
        told = client.get("/jobs/stats/sync", params={"window": window}).json()
        assert (told["total_runs"], told["window_seconds"]) == (runs, seconds)


def test_a_window_that_makes_no_sense_is_a_422(client):
    answer = client.get("/jobs/stats/check_resources", params={"window": "1y"})

    assert detail(answer, 422) == (
        "window must be a whole number from 1 to 99999 with s, m, h, d or w, for example 24h or 7d; got 1y."
    )


BUSINESS = ("sync_wb_reviews", "sync_wb_orders", "sync_ozon_reviews", "sync_ozon_orders", "generate_advice")


def test_the_schedule_tells_of_each_job_how_it_stands(client, write):
    write("check_resources", 1, None)
    write("cleanup_logs", "disk full")

    jobs = {job["job_name"]: job for job in client.get("/jobs").json()["jobs"]}

    assert list(jobs) == [job.name for job in JOBS]
    assert {name: (job["state"], job["last_status"], job["last_run"]) for name, job in jobs.items()} == {
        **{job.name: ("scheduled", None, None) for job in JOBS},
        "check_resources": ("running", "running", "2025-10-02T12:00:00Z"),
        "cleanup_logs": ("scheduled", "failed", "2025-10-02T12:00:00Z"),
        **dict.fromkeys(BUSINESS, ("not scheduled", None, None)),
    }
    assert jobs["sync_wb_orders"]["reason"] == "WB_API_TOKEN is not set."
    assert jobs["sync_ozon_orders"]["reason"] == "OZON_CLIENT_ID and OZON_API_KEY are not set."
    assert jobs["prune_job_runs"]["cadence"] == "daily at 03:40 UTC"
    assert jobs["prune_job_runs"]["reason"] is None
    soon = datetime.fromisoformat(jobs["check_resources"]["next_run"]) - datetime.now(UTC)
    assert timedelta(0) < soon <= timedelta(minutes=1)


def test_the_schedule_tells_what_was_missed_and_what_is_overdue(app, client, write):
    now = datetime.now(UTC)
    with transaction(app.state.telemetry.engine) as session:
        for kind, hours, ticks in (("missed", 1, 2), ("missed", 30, 1), ("downtime", 2, 3), ("downtime", 40, 1)):
            tick = BEGAN - timedelta(hours=hours)
            about = {"first_tick": tick, "last_tick": tick, "noticed_at": now - timedelta(hours=hours)}
            session.add(MissedRunRow(job_name="cleanup_logs", kind=kind, ticks=ticks, **about))
    write("cleanup_logs", None)
    with transaction(app.state.telemetry.engine) as session:
        session.execute(update(JobRunRow).values(overdue_at=now))

    jobs = {job["job_name"]: job for job in client.get("/jobs").json()["jobs"]}

    asked = ("state", "missed_last_day", "last_missed", "downtime_last_day")
    assert [jobs["cleanup_logs"][name] for name in asked] == ["overdue", 2, "2025-10-02T11:00:00Z", 3]
    assert [jobs["check_resources"][name] for name in asked] == ["scheduled", 0, None, 0]
    assert jobs["check_resources"]["start_grace_seconds"] == 60.0
    assert jobs["check_resources"]["max_runtime_seconds"] == 60.0


def test_a_job_that_cannot_run_is_listed_with_the_reason_and_without_a_next_run(app, client):
    job = Job("sync_wb", DailyAt(1, 0), lambda _context: {}, lambda _settings: "WB_API_TOKEN is not set.")
    app.state.schedule = Schedule(app.state.settings, [job])

    [told] = client.get("/jobs").json()["jobs"]

    assert (told["state"], told["reason"], told["next_run"]) == ("not scheduled", "WB_API_TOKEN is not set.", None)
    assert client.get("/jobs/stats/sync_wb").json()["next_run"] is None


@pytest.mark.parametrize(("hours", "next_run"), [(20, "2099-01-02T05:15:00Z"), (-1, "2099-01-01T09:15:00Z")])
def test_a_job_that_is_switched_off_says_why_and_when_it_tries_again(app, client, hours, next_run):
    now = datetime(2099, 1, 1, 9, 7, tzinfo=UTC)
    app.state.runtime.clock.last_now = lambda: now
    app.state.schedule = Schedule(app.state.settings, [Job("sync", Every(timedelta(minutes=15)), lambda _context: {})])
    with transaction(app.state.telemetry.engine) as session:
        retry_at = now + timedelta(hours=hours)
        session.add(
            JobSuspensionRow(job_name="sync", reason="Buy it.", since=now - timedelta(days=3), retry_at=retry_at)
        )

    [told] = client.get("/jobs").json()["jobs"]

    assert (told["state"], told["next_run"]) == ("not scheduled", next_run)
    assert told["reason"] == "Switched off since 2098-12-29 09:07 UTC, tried again daily: Buy it."


def test_a_database_that_fails_is_a_problem_with_a_sentence_that_gives_nothing_away(app_of, tmp_path):
    app = app_of(database_url=f"sqlite:///{tmp_path}/not-migrated.db")

    said = detail(TestClient(app).get("/jobs"), 503)

    assert said == "The database cannot be used now: migrations are missing: run `alembic upgrade head`."


def test_a_filter_that_is_empty_filters_nothing(client):
    with monitor_job("any"):
        pass

    runs = client.get("/jobs/status?job_name=&status=&before=&limit=50").json()["runs"]

    assert [run["job_name"] for run in runs] == ["any"]
