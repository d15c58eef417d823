"""What was counted between two samples: no negative amount, and never everything that was counted before."""

import pytest

from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.deltas import RETURN_SAMPLES, CountedSeries, LastSample, first_counts

KEY = SeriesKey("requests", "{}")


def added(*totals, start=None):
    counted = CountedSeries() if start is None else CountedSeries.from_totals({KEY: Amount(start)})
    found = []
    for total in totals:
        counted, amounts = counted.advanced({} if total is None else {KEY: Amount(total)})
        found.append(amounts[KEY].value if KEY in amounts else 0)
    return found


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([5, 7, 7], [5, 2, 0]),
        ([0, 3], [0, 3]),
        ([100, 60, 65], [100, 0, 5]),  # a worker is lost for good
        ([100, 60, 103], [100, 0, 3]),  # it was only missing
        ([100, None, 103], [100, 0, 3]),  # so were all
        ([100, None, 4, 104], [100, 0, 4, 4]),  # another one has begun meanwhile
        ([100, 60, 40, 105], [100, 0, 0, 5]),
        ([100, 60, 65, 62, 103], [100, 0, 5, 0, 3]),
        ([100, 60, *range(61, 61 + RETURN_SAMPLES), 200], [100, 0, *[1] * RETURN_SAMPLES, 110]),
    ],
)
def test_numbers_that_fall_are_neither_negative_nor_a_spike(totals, expected):
    assert added(*totals) == expected


def test_a_bucket_that_falls_is_not_negative():
    counted = CountedSeries.from_totals({KEY: Amount(5, 1.5, (3, 2))})

    _, amounts = counted.advanced({KEY: Amount(6, 1.4, (2, 4))})

    assert amounts == {KEY: Amount(1, 0, (0, 2))}


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 30])
def test_an_amount_that_is_spread_stays_the_same(parts):
    amount = Amount(10, 2.5, (7, 0, 3))

    spread = amount.spread(parts)

    assert len(spread) == parts
    assert sum(each.value for each in spread) == 10
    assert sum(each.sum for each in spread) == pytest.approx(2.5)
    assert [sum(counts) for counts in zip(*(each.buckets for each in spread), strict=True)] == [7, 0, 3]
    assert all(min(each.buckets) >= 0 for each in spread)


def last(total, workers=("a",)):
    return LastSample(3, frozenset(workers), 0.0, 0, {KEY: Amount(total)})


@pytest.mark.parametrize(
    ("before", "live", "total", "is_new", "expected"),
    [
        (None, ["a"], 50, True, 50),  # a service that has just started
        (None, ["a"], 50, False, 0),  # one that was not sampled so far
        (last(40), ["a", "b"], 50, False, 10),  # another process samples now
        (last(40), ["b"], 7, True, 7),  # the service was restarted
        (last(40), ["b"], 45, False, 5),  # all workers were replaced, one after the other
        (last(40, "ab"), ["b"], 30, False, 0),  # a worker is missing
    ],
)
def test_a_process_that_begins_to_sample_goes_on_where_the_last_one_was(before, live, total, is_new, expected):
    sample = {KEY: Amount(total)}
    counted = first_counts(before, live, sample, is_new=is_new)

    _, amounts = (counted or CountedSeries.from_totals(sample)).advanced(sample)

    assert (amounts[KEY].value if amounts else 0) == expected
