from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.scheduler.cadence import MAX_COUNTED, Cron, DailyAt, Every

QUARTER = Every(timedelta(minutes=15))
INSTANT, DAY = timedelta(microseconds=1), timedelta(days=1)
ZONES = sorted(available_timezones())


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(cadence, begin, end):
    found, moment = [], begin
    while (moment := cadence.after(moment)) <= end:
        found.append(moment)
    return found


def local_times(cadence, begin, end, zone):
    """The ticks as a clock of the zone shows them, with its distance from UTC."""
    return [f"{tick.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for tick in ticks(cadence, at(begin), at(end))]


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
        (DailyAt(3, 5, "Asia/Yekaterinburg"), "daily at 03:05 Asia/Yekaterinburg"),
        (Cron("*/15  9-18 * * mon-fri", "Europe/Moscow"), "at */15 9-18 * * mon-fri Europe/Moscow"),
    ],
)
def test_a_cadence_says_itself(cadence, said):
    assert str(cadence) == said


@pytest.mark.parametrize("cadence", [QUARTER, Every(timedelta(seconds=7)), DailyAt(3, 10)])
@pytest.mark.parametrize("moment", ["2025-10-02T03:10:00", "2025-10-02T03:09:59.999999", "2025-12-31T23:59:59"])
def test_the_tick_before_a_moment_is_the_last_one_that_is_not_later(cadence, moment):
    before = cadence.before(at(moment))

    assert before <= at(moment) < cadence.after(before)
    assert cadence.before(before) == before


def changes(zone, begin, end):
    """Days in which the clock of a zone changes."""
    days = [begin + number * DAY for number in range((end - begin).days)]
    return [day for day in days if (day + DAY).astimezone(zone).utcoffset() != day.astimezone(zone).utcoffset()]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_on_each_day_of_each_zone_a_daily_job_is_due_once_and_each_tick_is_after_the_one_before(data):
    name = data.draw(st.sampled_from(ZONES))
    zone, first = ZoneInfo(name), at(f"{data.draw(st.integers(1995, 2036))}-01-01")
    days = changes(zone, first, first + 365 * DAY) or [first]
    middle = data.draw(st.sampled_from(days))
    cadence = DailyAt(data.draw(st.integers(0, 23)), data.draw(st.integers(0, 59)), name)

    found = ticks(cadence, middle - 4 * DAY, middle + 5 * DAY)

    half_hours = [middle + number * DAY / 48 for number in range(-3 * 48, 4 * 48)]
    there = sorted({moment.astimezone(zone).date() for moment in half_hours})[1:-1]
    dates = [tick.astimezone(zone).date() for tick in found]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert [dates.count(date) for date in there] == [1] * len(there)
    for earlier, later in pairwise(found):
        assert cadence.before(later) == later
        assert cadence.before(later - INSTANT) == earlier


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_crontab_of_any_zone_ticks_one_after_the_other_and_before_is_what_after_says(data):
    name = data.draw(st.sampled_from(ZONES))
    first = at(f"{data.draw(st.integers(1995, 2036))}-01-01")
    middle = data.draw(st.sampled_from(changes(ZoneInfo(name), first, first + 365 * DAY) or [first]))
    cadence = Cron(data.draw(st.sampled_from(["*/20 * * * *", "30 */2 * * *", "10,40 0-3 * * *", "0 2 * * sun"])), name)

    found = ticks(cadence, middle - DAY, middle + 2 * DAY)

    assert all(earlier < later for earlier, later in pairwise(found))
    for earlier, later in pairwise(found[:30]):
        assert cadence.before(later - INSTANT) == earlier
        assert cadence.before(later) == later
    assert cadence.count_between(middle - DAY, middle + 2 * DAY) == len(found)


def test_a_time_that_is_left_out_is_as_much_later_as_the_clock_is_put_forward():
    said = local_times(DailyAt(2, 30, "Europe/Berlin"), "2025-03-29T00:00", "2025-03-31T12:00", "Europe/Berlin")

    assert said == ["29 02:30 +0100", "30 03:30 +0200", "31 02:30 +0200"]


def test_a_time_that_is_left_out_before_midnight_is_earlier_since_later_is_the_next_day():
    said = local_times(DailyAt(23, 30, "America/Nuuk"), "2025-03-28T12:00", "2025-03-31T12:00", "America/Nuuk")

    assert said == ["28 23:30 -0200", "29 22:30 -0200", "30 23:30 -0100"]


def test_of_a_time_that_comes_twice_it_is_the_first():
    said = local_times(DailyAt(2, 30, "Europe/Berlin"), "2025-10-25T12:00", "2025-10-27T12:00", "Europe/Berlin")

    assert said == ["26 02:30 +0200", "27 02:30 +0100"]


@pytest.mark.parametrize("night", ["2025-03-29", "2025-03-30", "2025-10-25", "2025-10-26"])
def test_what_is_wanted_again_and_again_is_so_in_both_nights(night):
    found = ticks(Cron("*/15 * * * *", "Europe/Berlin"), at(night), at(night) + DAY)

    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


def test_a_crontab_is_by_the_clock_of_its_zone():
    said = local_times(
        Cron("*/30 9-10 * * mon-fri", "Europe/Berlin"), "2025-03-28T00:00", "2025-03-31T12:00", "Europe/Berlin"
    )

    friday = [f"28 {clock} +0100" for clock in ("09:00", "09:30", "10:00", "10:30")]
    assert said == friday + [each.replace("28", "31").replace("+0100", "+0200") for each in friday]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DailyAt(3, 10, "Europe/Berlim"), "There is no time zone 'Europe/Berlim'."),
        (lambda: Cron("0 9 * * *", "../etc"), "There is no time zone '../etc'."),
        (lambda: Cron("0 9 * * 1"), "'0 9 * * 1': a day of the week is mon or tue; its number has two meanings."),
        (lambda: Cron("0 9 31 2 *"), "'0 9 31 2 *': there is no such day."),
        (lambda: Cron("0 9"), "Wrong number of fields; got 2, expected 5"),
    ],
)
def test_a_cadence_that_makes_no_sense_is_refused_when_it_is_made(make, sentence):
    with pytest.raises(ValueError) as refused:
        make()

    assert str(refused.value) == sentence


@pytest.mark.parametrize("hour", [24, -1])
def test_a_time_that_no_clock_shows_is_refused(hour):
    with pytest.raises(ValueError):
        DailyAt(hour, 0)


def test_ticks_are_counted_without_the_one_that_they_are_counted_from():
    assert QUARTER.count_between(at("2025-10-02T12:00"), at("2025-10-02T13:00")) == 4
    assert QUARTER.count_between(at("2025-10-02T12:01"), at("2025-10-02T12:14")) == 0
    assert QUARTER.count_between(at("2025-10-02T12:01"), at("2025-10-02T11:00")) == 0
    assert DailyAt(3, 10).count_between(at("2025-10-01T03:10"), at("2025-10-04T03:10")) == 3


def test_what_would_take_long_to_count_is_counted_up_to_a_number():
    assert Cron("* * * * *").count_between(at("2025-10-02"), at("2025-12-02")) == MAX_COUNTED
    assert Every(timedelta(seconds=15)).count_between(at("2025-10-02"), at("2026-10-02")) == 365 * 86_400 // 15


@pytest.mark.parametrize(
    "interval",
    [
        timedelta(0),
        timedelta(seconds=-90),
        timedelta(days=-1),
        timedelta(milliseconds=999),
        timedelta(microseconds=1),
        timedelta.max,
        timedelta.min,
    ],
)
def test_an_interval_that_no_scheduler_can_keep_is_refused(interval):
    with pytest.raises(ValueError, match="an interval is from one second to 3660 days"):
        Every(interval)


@pytest.mark.parametrize("seconds", [1, 1.5, 90.5, 89.999999, 3600.25, 86_400 * 3660])
def test_an_interval_with_a_part_of_a_second_is_kept_exactly(seconds):
    cadence, first = Every(timedelta(seconds=seconds)), at("2030-01-01T00:00:17")

    tick = cadence.after(first)

    assert first < tick <= first + cadence.interval
    assert cadence.after(tick) - tick == cadence.interval
    assert cadence.before(tick) == tick
    assert cadence.before(tick - timedelta(microseconds=1)) == tick - cadence.interval
    assert cadence.count_between(first, tick + 9 * cadence.interval) == 10
    assert (tick - datetime(1970, 1, 1, tzinfo=UTC)) % cadence.interval == timedelta(0)


def test_an_interval_with_a_part_of_a_second_says_so():
    assert str(Every(timedelta(seconds=90.5))) == "every 90.5 s"
    assert str(Every(timedelta(seconds=1.000001))) == "every 1.000001 s"


@pytest.mark.parametrize(
    "crontab",
    [
        "0 9 * * mon#",
        "0 9 * * mon-",
        "0 9 * * mon#x",
        "0 9 * * mon-fri/b",
        "0 9 * * mon,tue-",
        "0 9 * jan- *",
        "0 9 * jan/x *",
        "0 9 lastW * *",
        "0 9 lastmon * *",
        "0 9 L * *",
        "0 9 1,last- * *",
        "0 9 * * *#",
        "5- 9 * * *",
        "\u0663 9 * * *",
    ],
)
def test_a_crontab_of_which_a_part_would_be_ignored_is_refused(crontab):
    with pytest.raises(ValueError, match=r"not understood|Unrecognized"):
        Cron(crontab)


@pytest.mark.parametrize(
    "crontab",
    [
        "05 09 * * MON-FRI",
        "00 00 01 01 *",
        "*/05 0 * * *",
        "1-1 0-0 * jan-jan mon-mon",
        "0 0 LAST Jan,mar *",
        "1-5/2 1/3 * * *",
    ],
)
def test_a_crontab_may_be_written_in_other_ways(crontab):
    assert Cron(crontab).after(at("2030-01-01")) > at("2030-01-01")
