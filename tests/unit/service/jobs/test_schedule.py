from datetime import timedelta

import pytest

from service.jobs.schedule import JOBS
from service.scheduler.cadence import Every
from service.scheduler.job import Job, Schedule, UnknownJob
from service.settings import Settings

QUARTER = Every(timedelta(minutes=15))


def nothing(_context):
    return {}


def test_a_job_that_is_not_there_is_told_with_those_that_are():
    schedule = Schedule(Settings(), [Job("b", QUARTER, nothing), Job("a", QUARTER, nothing)])

    with pytest.raises(UnknownJob, match=r"^There is no job 'c'\. There are: a, b\.$"):
        schedule.get("c")


def test_a_job_without_its_variables_is_listed_with_the_reason_and_not_scheduled():
    def requires_a_token(settings):
        return None if settings.wb_api_token else "WB_API_TOKEN is not set."

    jobs = [Job("always", QUARTER, nothing), Job("sync_wb", QUARTER, nothing, requires_a_token)]

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
REQUIRES = {
    "sync_wb_reviews": "WB_API_TOKEN is not set.",
    "sync_wb_orders": "WB_API_TOKEN is not set.",
    "sync_ozon_reviews": "OZON_CLIENT_ID and OZON_API_KEY are not set.",
    "sync_ozon_orders": "OZON_CLIENT_ID and OZON_API_KEY are not set.",
    "generate_advice": "OPENAI_API_KEY and OPENAI_MODEL are not set.",
}


def test_the_schedule_of_the_service_names_each_job_once_and_runs_without_any_token_what_needs_none():
    schedule = Schedule(Settings(), JOBS)

    assert len({job.name for job in JOBS}) == len(JOBS)
    assert {job.name: schedule.missing(job) for job in JOBS if schedule.missing(job)} == REQUIRES
    assert schedule.scheduled() == [job for job in JOBS if job.name not in REQUIRES]


def test_with_all_its_variables_all_of_it_is_scheduled():
    assert Schedule(Settings(**EVERYTHING), JOBS).scheduled() == list(JOBS)


def test_in_the_sandbox_the_sync_and_advice_jobs_are_due_more_often():
    schedule = Schedule(Settings(sandbox=True), JOBS)

    assert {job.name: str(job.cadence) for job in schedule.scheduled() if job.name in REQUIRES} == {
        "sync_wb_reviews": "every 1 min",
        "sync_wb_orders": "every 2 min",
        "sync_ozon_reviews": "every 1 min",
        "sync_ozon_orders": "every 2 min",
        "generate_advice": "every 15 s",
    }


def test_each_job_of_the_service_says_how_long_it_may_run_and_how_late_it_may_begin():
    assert all(job.max_runtime is not None and job.start_grace > timedelta(0) for job in JOBS)
    assert all(len(str(job.cadence)) <= 200 for job in JOBS)
