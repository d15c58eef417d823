"""The watch of paused jobs with a manual clock: what the gauge shows, and when an alert reminds of a pause."""

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.scheduler.cadence import Every
from service.scheduler.job import Job, Schedule
from service.scheduler.monitoring.pause_watch import PauseWatch
from service.scheduler.pauses import Pause, pause_job, resume_job
from service.settings import Settings

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JOBS = [Job(name, Every(HOUR), lambda _context: {}) for name in ("orders", "reviews")]
REMINDER = (
    "orders has been paused since 2025-10-02 12:00:00 UTC by Anna: the warehouse is moved\n"
    "Resume it by POST /jobs/orders/resume, or on the console's page of jobs."
)


@pytest.fixture
def watch(engine):
    return PauseWatch(Schedule(Settings(), JOBS), engine)


@pytest.fixture
def paused(engine):
    pause_job(engine, "orders", Pause(NOON, "Anna", "the warehouse is moved"))


def shown(reader):
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics] if data else []
    return {point.attributes["job.name"]: point.value for metric in metrics for point in metric.data.data_points}


def test_a_pause_is_reminded_of_after_a_day_and_then_once_a_day_by_one_process(engine, watch, paused, caplog):
    other = PauseWatch(Schedule(Settings(), JOBS), engine)

    for hours, alerts in ((23, 0), (24, 1), (25, 1), (47, 1), (48, 2), (49, 2)):
        for process in (watch, other):
            process.check(NOON + hours * HOUR)
        assert caplog.messages == [REMINDER] * alerts

    record = caplog.records[0]
    attributes = {name: getattr(record, name) for name in ("component", "alert.level", "job.name")}
    assert attributes == {"component": "scheduler", "alert.level": "WARNING", "job.name": "orders"}


def test_a_resumed_job_is_not_reminded_of(engine, watch, paused, caplog):
    resume_job(engine, "orders", NOON + HOUR)

    watch.check(NOON + 2 * DAY)

    assert caplog.messages == []


def test_a_new_reason_begins_another_day(engine, watch, paused, caplog):
    pause_job(engine, "orders", Pause(NOON + 20 * HOUR, "Boris", "not done"))

    watch.check(NOON + 30 * HOUR)
    assert caplog.messages == []
    watch.check(NOON + 44 * HOUR)

    assert caplog.messages[0].startswith("orders has been paused since 2025-10-02 12:00:00 UTC by Boris: not done")


def test_a_clock_that_is_set_back_delays_no_reminder_for_longer_than_a_day(watch, paused, caplog):
    """The moment of the next alert would be a year away."""
    for day in range(2):
        watch.check(NOON + timedelta(days=day - 365))

    assert caplog.messages == [REMINDER] * 2


def test_a_job_that_is_no_longer_in_the_schedule_is_not_reminded_of(engine, watch, caplog):
    pause_job(engine, "removed", Pause(NOON, "Anna", "the warehouse is moved"))

    watch.check(NOON + 2 * DAY)

    assert caplog.messages == []


def test_the_gauge_shows_each_scheduled_job_once_the_database_was_read(engine, watch, paused):
    reader = InMemoryMetricReader()
    watch.observe(MeterProvider([reader], shutdown_on_exit=False).get_meter("tests"))

    assert shown(reader) == {}
    watch.check(NOON)
    assert shown(reader) == {"orders": 1, "reviews": 0}
    resume_job(engine, "orders", NOON)
    watch.check(NOON)
    assert shown(reader) == {"orders": 0, "reviews": 0}
