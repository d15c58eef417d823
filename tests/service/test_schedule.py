from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from service.schedule import JOBS, DailyAt, Every, Job, Schedule, UnknownJob
from service.settings import Settings

QUARTER = Every(timedelta(minutes=15))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nothing(_context):
    return {}


@pytest.mark.parametrize(
    ("moment", "tick"),
    [
        ("2025-10-02T12:00:00", "2025-10-02T12:15:00"),  # a tick itself is past
        ("2025-10-02T12:00:00.000001", "2025-10-02T12:15:00"),
        ("2025-10-02T12:14:59.999999", "2025-10-02T12:15:00"),
        ("2025-10-02T23:50:00", "2025-10-03T00:00:00"),
    ],
)
def test_an_interval_is_counted_from_the_epoch_whenever_the_process_was_started(moment, tick):
    assert QUARTER.after(at(moment)) == at(tick)


def test_ticks_are_the_same_whichever_zone_a_process_asks_in():
    moment = at("2025-10-02T12:01:00")

    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert QUARTER.after(elsewhere) == QUARTER.after(moment)
    assert DailyAt(3, 10).after(elsewhere) == DailyAt(3, 10).after(moment)


def test_an_interval_that_divides_no_hour_goes_on_over_midnight_without_a_gap():
    cadence = Every(timedelta(minutes=7))
    ticks = [at("2025-10-02T23:30:00")]
    for _ in range(10):
        ticks.append(cadence.after(ticks[-1]))

    steps = {later - earlier for earlier, later in pairwise(ticks[1:])}
    assert steps == {timedelta(minutes=7)}
    assert all(tick.timestamp() % 420 == 0 for tick in ticks[1:])


@pytest.mark.parametrize(
    ("moment", "tick"),
    [
        ("2025-10-02T03:09:59", "2025-10-02T03:10:00"),
        ("2025-10-02T03:10:00", "2025-10-03T03:10:00"),
        ("2025-12-31T23:59:59", "2026-01-01T03:10:00"),
        ("2024-02-28T04:00:00", "2024-02-29T03:10:00"),
    ],
)
def test_a_daily_tick_is_at_its_hour_of_utc_over_days_months_and_years(moment, tick):
    assert DailyAt(3, 10).after(at(moment)) == at(tick)


def test_a_tick_is_in_utc():
    assert QUARTER.after(at("2025-10-02T12:00:00")).utcoffset() == timedelta(0)
    assert DailyAt(3, 10).after(at("2025-10-02T12:00:00")).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("cadence", "said"),
    [
        (Every(timedelta(minutes=1)), "every 1 min"),
        (Every(timedelta(hours=2)), "every 120 min"),
        (Every(timedelta(seconds=90)), "every 90 s"),
        (Every(timedelta(seconds=5)), "every 5 s"),
        (DailyAt(3, 5), "daily at 03:05 UTC"),
    ],
)
def test_a_cadence_says_itself(cadence, said):
    assert str(cadence) == said


def test_a_job_that_is_not_there_is_told_with_those_that_are():
    schedule = Schedule(Settings(), [Job("b", QUARTER, nothing), Job("a", QUARTER, nothing)])

    with pytest.raises(UnknownJob, match=r"^There is no job 'c'\. There are: a, b\.$"):
        schedule.get("c")


def test_a_job_without_its_variables_is_listed_with_the_reason_and_not_scheduled():
    def wants_a_token(settings):
        return None if settings.wb_api_token else "WB_API_TOKEN is not set."

    jobs = [Job("always", QUARTER, nothing), Job("sync_wb", QUARTER, nothing, wants_a_token)]

    without, with_token = Schedule(Settings(), jobs), Schedule(Settings(wb_api_token="0123456789"), jobs)

    assert without.scheduled() == jobs[:1]
    assert without.missing(jobs[1]) == "WB_API_TOKEN is not set."
    assert without.get("sync_wb") is jobs[1]
    assert with_token.scheduled() == jobs
    assert with_token.missing(jobs[1]) is None


EVERYTHING = {"wb_api_token": "0123456789", "ozon_client_id": "1", "ozon_api_key": "0123456789"} | {
    "openai_api_key": "0123456789",
    "openai_model": "model",
}
WANTS = {
    "sync_wb_reviews": "WB_API_TOKEN is not set.",
    "sync_wb_orders": "WB_API_TOKEN is not set.",
    "sync_ozon_reviews": "OZON_CLIENT_ID and OZON_API_KEY are not set.",
    "sync_ozon_orders": "OZON_CLIENT_ID and OZON_API_KEY are not set.",
    "generate_advice": "OPENAI_API_KEY and OPENAI_MODEL are not set.",
}


def test_the_schedule_of_the_service_names_each_job_once_and_runs_without_any_token_what_needs_none():
    schedule = Schedule(Settings())

    assert len({job.name for job in JOBS}) == len(JOBS)
    assert {job.name: schedule.missing(job) for job in JOBS if schedule.missing(job)} == WANTS
    assert schedule.scheduled() == [job for job in JOBS if job.name not in WANTS]


def test_with_all_its_variables_all_of_it_is_scheduled():
    assert Schedule(Settings(**EVERYTHING)).scheduled() == list(JOBS)


def test_in_the_sandbox_the_jobs_of_the_business_come_more_often():
    schedule = Schedule(Settings(sandbox=True))

    assert {job.name: str(job.cadence) for job in schedule.scheduled() if job.name in WANTS} == {
        "sync_wb_reviews": "every 1 min",
        "sync_wb_orders": "every 2 min",
        "sync_ozon_reviews": "every 1 min",
        "sync_ozon_orders": "every 2 min",
        "generate_advice": "every 15 s",
    }


@pytest.mark.parametrize("cadence", [QUARTER, Every(timedelta(seconds=7)), DailyAt(3, 10)])
@pytest.mark.parametrize("moment", ["2025-10-02T03:10:00", "2025-10-02T03:09:59.999999", "2025-12-31T23:59:59"])
def test_the_tick_before_a_moment_is_the_last_one_that_is_not_later(cadence, moment):
    before = cadence.before(at(moment))

    assert before <= at(moment) < cadence.after(before)
    assert cadence.before(before) == before
