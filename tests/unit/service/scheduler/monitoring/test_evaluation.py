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
    has_due,
    missed_ticks,
)
from service.scheduler.monitoring.notices import MissedNotice

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
QUICK = Job("quick", Every(15 * SECOND), lambda _context: {})
NO_RUNS = Runs(QUICK, [])


def watched(until=NOON, seen=NOON, back=None):
    return Watermark("quick", "every 15 s", until, seen, back)


def begun(*ticks):
    return Runs(QUICK, [ScheduledRun(tick, tick, tick + SECOND) for tick in ticks])


def test_ticks_are_due_when_their_grace_is_over():
    assert not has_due(QUICK, watched(), NOON + 74 * SECOND)
    assert has_due(QUICK, watched(), NOON + 75 * SECOND)


def test_ticks_that_are_run_late_have_their_grace_from_when_somebody_was_back():
    back = watched(back=NOON + 10 * MINUTE)

    assert not has_due(QUICK, back, NOON + 10 * MINUTE + 59 * SECOND)
    assert has_due(QUICK, back, NOON + 11 * MINUTE)


def test_several_ticks_are_judged_at_once_and_accounted_for_up_to_the_last_one():
    verdict = missed_ticks(QUICK, watched(), begun(NOON + 30 * SECOND), NOON + 2 * MINUTE)

    assert verdict.missed == Ticks(NOON + 15 * SECOND, NOON + MINUTE, 3)
    assert verdict.watched_until == NOON + MINUTE


def test_a_gap_of_very_many_ticks_is_counted_without_those_whose_runs_began():
    back, first = NOON + timedelta(days=1), NOON + 15 * SECOND
    runs = begun(back, first)

    verdict = downtime_ticks(QUICK, watched(), runs, Uptime(back, fresh=True))

    assert verdict.downtime == Ticks(first + 15 * SECOND, back - 15 * SECOND, 24 * 240 - 2)
    assert verdict.downtime.number > MAX_TICKS
    assert (verdict.watched_until, verdict.back_at) == (back, back)


def test_what_came_while_somebody_was_there_and_what_came_after_that_are_one():
    verdict = downtime_ticks(QUICK, watched(seen=NOON + 20 * SECOND), NO_RUNS, Uptime(NOON + MINUTE, fresh=True))

    assert verdict.downtime == Ticks(NOON + 15 * SECOND, NOON + MINUTE, 4)


@pytest.mark.parametrize(("fresh", "fell"), [(True, 2), (False, 0)])
def test_a_run_that_seems_to_go_on_is_alive_only_if_this_process_was_there_before(fresh, fell):
    runs = Runs(QUICK, [ScheduledRun(NOON, NOON, None)])

    verdict = downtime_ticks(QUICK, watched(), runs, Uptime(NOON + 30 * SECOND, fresh=fresh))

    assert (verdict.downtime.number if verdict.downtime else 0) == fell


def test_several_missed_ticks_are_one_line(caplog):
    noticed = MissedNotice(missed=[(QUICK, Ticks(NOON, NOON + MINUTE, 5))])

    noticed.tell(NOON)

    [told] = caplog.messages
    assert told == (
        "quick did not begin within 60 s of each of 5 ticks (2025-10-02 12:00:00 UTC to 2025-10-02 12:01:00 UTC)."
    )


def test_a_line_about_very_many_jobs_has_an_end(caplog):
    jobs = [(replace(QUICK, name=f"job{number}"), Ticks(NOON, NOON, 1)) for number in range(14)]

    MissedNotice(downtime=jobs, last_seen=[NOON, NOON - MINUTE]).tell(NOON + MINUTE)

    told = caplog.messages[-1]
    assert told.startswith("Nobody ran the schedule from 2025-10-02 11:59:00 UTC to 2025-10-02 12:01:00 UTC: 1 run of")
    assert told.endswith(", 1 run of job9 (2025-10-02 12:00:00 UTC) and runs of 4 more jobs fell into it.")
