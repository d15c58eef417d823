from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.scheduler.cadence import Every
from service.scheduler.job import Job
from service.scheduler.monitoring.evaluation import (
    MAX_TICKS,
    Runs,
    ScheduledRun,
    Ticks,
    Uptime,
    Watermark,
    downtime_ticks,
    has_due_ticks,
    missed_ticks,
)
from service.scheduler.monitoring.notices import MissedNotice

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
QUICK = Job("quick", Every(15 * SECOND), lambda _context: {})
NO_RUNS = Runs(QUICK, [])


def watermark(until=NOON, seen=NOON, back=None):
    return Watermark("quick", "every 15 s", until, seen, back)


def runs_for(*ticks):
    return Runs(QUICK, [ScheduledRun(tick, tick, tick + SECOND) for tick in ticks])


def test_ticks_are_due_when_their_grace_is_over():
    assert not has_due_ticks(QUICK, watermark(), NOON + 74 * SECOND)
    assert has_due_ticks(QUICK, watermark(), NOON + 75 * SECOND)


def test_catch_up_runs_have_their_grace_from_the_end_of_the_downtime():
    back = watermark(back=NOON + 10 * MINUTE)

    assert not has_due_ticks(QUICK, back, NOON + 10 * MINUTE + 59 * SECOND)
    assert has_due_ticks(QUICK, back, NOON + 11 * MINUTE)


def test_several_ticks_are_evaluated_at_once_and_accounted_for_up_to_the_last_one():
    evaluation = missed_ticks(QUICK, watermark(), runs_for(NOON + 30 * SECOND), NOON + 2 * MINUTE)

    assert evaluation.missed == Ticks(NOON + 15 * SECOND, NOON + MINUTE, 3)
    assert evaluation.watched_until == NOON + MINUTE


def test_a_gap_of_very_many_ticks_is_counted_without_those_whose_runs_began():
    back, first = NOON + timedelta(days=1), NOON + 15 * SECOND
    runs = runs_for(back, first)

    evaluation = downtime_ticks(QUICK, watermark(), runs, Uptime(back, since_start=True))

    assert evaluation.downtime == Ticks(first + 15 * SECOND, back - 15 * SECOND, 24 * 240 - 2)
    assert evaluation.downtime.number > MAX_TICKS
    assert (evaluation.watched_until, evaluation.back_at) == (back, back)


def test_ticks_before_and_after_the_last_heartbeat_are_one_downtime():
    evaluation = downtime_ticks(
        QUICK, watermark(seen=NOON + 20 * SECOND), NO_RUNS, Uptime(NOON + MINUTE, since_start=True)
    )

    assert evaluation.downtime == Ticks(NOON + 15 * SECOND, NOON + MINUTE, 4)


@pytest.mark.parametrize(("since_start", "fell"), [(True, 2), (False, 0)])
def test_a_run_that_seems_to_go_on_is_alive_only_if_this_process_was_there_before(since_start, fell):
    runs = Runs(QUICK, [ScheduledRun(NOON, NOON, None)])

    evaluation = downtime_ticks(QUICK, watermark(), runs, Uptime(NOON + 30 * SECOND, since_start=since_start))

    assert (evaluation.downtime.number if evaluation.downtime else 0) == fell


def test_several_missed_ticks_are_one_line(caplog):
    notice = MissedNotice(missed=[(QUICK, Ticks(NOON, NOON + MINUTE, 5))])

    notice.alert(NOON)

    [message] = caplog.messages
    assert message == (
        "Job quick did not begin within 60 s of each of 5 scheduled times (2025-10-02 12:00:00 UTC to 2025-10-02 12:01:00 UTC)."
    )


def test_a_line_about_very_many_jobs_has_an_end(caplog):
    jobs = [(replace(QUICK, name=f"job{number}"), Ticks(NOON, NOON, 1)) for number in range(14)]

    MissedNotice(downtime=jobs, last_seen=[NOON, NOON - MINUTE]).alert(NOON + MINUTE)

    message = caplog.messages[-1]
    assert message.startswith(
        "The scheduler was not running from 2025-10-02 11:59:00 UTC to 2025-10-02 12:01:00 UTC. Not executed: 1 run of"
    )
    assert message.endswith(", 1 run of job9 (2025-10-02 12:00:00 UTC) and runs of 4 more jobs.")
