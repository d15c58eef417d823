import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from tests.soak.figures import Table
from tests.soak.stores import ways
from tests.soak.stores.judgement import Way, judge_series
from tests.soak.stores.outages import Outage, Spans, uncovered
from tests.support.deployed_prometheus import Series


@pytest.mark.parametrize(
    ("outages", "left"),
    [
        ([], 10),
        ([(2, 4), (3, 6)], 6),
        ([(-5, 4), (3, 60)], 0),
        ([(20, 30), (-9, -3)], 10),
        ([(1, 9), (2, 3)], 2),
    ],
    ids=str,
)
def test_a_gap_is_what_no_outage_explains(outages, left):
    assert uncovered(0, 10, [Outage(*each) for each in outages]) == left


def test_counters_are_told_by_their_names():
    names = ["a_total", "b_bucket", "b_count", "b_sum", "pool_count", "slo:a_total", "c_seconds"]

    assert ways.counters(names) == ["a_total", "b_bucket", "b_count", "b_sum"]


@pytest.mark.parametrize(
    ("scraped", "sent"),
    [
        ("http_requests_total", "http_server_request_duration_seconds_count"),
        ("db_query_duration_seconds_bucket", "db_client_operation_duration_seconds_bucket"),
        ("alert_messages_total", "alert_messages_total"),
    ],
)
def test_a_counter_has_a_name_by_either_way(scraped, sent):
    assert ways.sent_name(scraped) == sent


@pytest.mark.parametrize(("values", "total"), [([3, 5], 5), ([0, 4, 1, 2], 6), ([7, 7, 0], 7)], ids=str)
def test_a_total_goes_on_where_a_counter_begins_again(values, total):
    assert ways.increase(Series({}, list(enumerate(map(float, values))))) == total


def test_a_total_goes_on_where_nobody_saw_that_a_counter_began_again():
    series = Series({}, [(10.0, 16.0), (20.0, 16.0), (110.0, 33.0), (120.0, 34.0)])

    assert ways.increase(series) == 34
    assert ways.increase(series, [60.0]) == 16 + 34


class Store:
    """One counter with these samples, as seconds before now."""

    def __init__(self, *samples: tuple[float, float]) -> None:
        self._samples = [(time.time() - before, value) for before, value in samples]

    def names(self):
        return ["requests_total"]

    def series(self, _selector, _seconds):
        return [Series({"endpoint": "/"}, self._samples)]

    def number(self, _expression):
        values = [value for _, value in self._samples]
        return sum(after < before for before, after in pairwise(values))


GOOD = [(float(before), 1000.0 - before) for before in range(900, 0, -5)]


@pytest.mark.parametrize(
    ("samples", "restarts", "wrong"),
    [
        (GOOD, (), set()),
        ([*GOOD, (0, 1)], (), {"resets", "falls"}),
        ([*GOOD, (0, 1)], (3.0,), set()),
        ([*GOOD, (0, 1)], (400.0,), {"resets", "falls"}),
        (GOOD[:20] + GOOD[40:], (), {"series"}),
        (GOOD[:100], (), {"series"}),
        (GOOD[::20], (), {"series"}),
    ],
    ids=["good", "falls", "restarted", "falls later", "has a gap", "ends", "is rare"],
)
def test_what_a_counter_may_not_do_is_a_figure_that_does_not_hold(samples, restarts, wrong):
    moments = [time.time() - before for before in restarts]
    spans, seconds = Spans.of(3600), 960
    scene = SimpleNamespace(
        store=Store(*samples), seconds=seconds, spans=spans, restarts=[Outage(at - 1, at) for at in moments]
    )
    table = Table()

    judge_series(table, scene, Way("scraped", "", ()))

    found = {each.name.removeprefix("scraped: ").split()[0] for each in table.figures if each.holds is False}
    assert found - {"counters,"} == wrong
