from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.jobs.store.daily_totals import (
    DAY,
    DailyTotals,
    TimeRange,
    day_of,
    midnight,
    missing_days,
    uncovered_ranges,
)

FIRST = date(2025, 10, 1)


def test_a_day_is_one_of_utc():
    vladivostok = timezone(timedelta(hours=10))

    assert day_of(datetime(2025, 10, 2, 9, 59, tzinfo=vladivostok)) == date(2025, 10, 1)
    assert midnight(FIRST) == datetime(2025, 10, 1, tzinfo=UTC)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 20)), st.none() | st.integers(-48, 500), st.integers(-72, 600))
def test_a_moment_is_on_a_day_or_in_what_is_left(numbers, since, hours):
    days = [FIRST + number * DAY for number in sorted(numbers)]
    start = None if since is None else midnight(FIRST) + timedelta(hours=since)
    if start is not None:
        days = [day for day in days if midnight(day) >= start]
    moment = midnight(FIRST) + timedelta(hours=hours)

    uncovered = [
        time_range
        for time_range in uncovered_ranges(days, start)
        if (time_range.since is None or time_range.since <= moment)
        and (time_range.until is None or moment < time_range.until)
    ]

    is_in_time = start is None or moment >= start
    assert len(uncovered) == (is_in_time and day_of(moment) not in days)


def test_days_that_follow_each_other_leave_nothing_between_them():
    days = [FIRST + number * DAY for number in range(90)]

    assert uncovered_ranges(days, None) == [
        TimeRange(None, midnight(FIRST)),
        TimeRange(midnight(FIRST + 90 * DAY), None),
    ]


def test_the_days_that_are_not_there_are_told():
    assert missing_days([FIRST, FIRST + 2 * DAY], FIRST, FIRST + 3 * DAY) == [FIRST + DAY, FIRST + 3 * DAY]
    assert missing_days([], FIRST, FIRST - DAY) == []


def test_totals_add_up_and_the_newest_success_stands():
    one, other = DailyTotals(success=1, error=2, timed=3, seconds=4.0), DailyTotals(lost=1, timeout=1, cancelled=1)
    other.last_success = midnight(FIRST)

    one.merge(other)
    one.merge(DailyTotals(last_success=midnight(FIRST) - DAY))

    assert (one.ended, one.failed, one.success, one.seconds, one.last_success) == (6, 5, 1, 4.0, midnight(FIRST))
