"""Queries find what was counted: in any window, by any labels, and over time."""

import json
import random

import pytest

from telemetry.recent.database import RecentDatabase
from telemetry.recent.point_queries import PointQueries
from telemetry.recent.points import reading
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.plotted import Plotted
from telemetry.recent.points.point_writer import add_points
from telemetry.recent.points.pruning import ROW_BYTES, forget_unused, prune

NOW = 1_800_000_000
REQUESTS = "http_request_duration_seconds"
BOUNDS = (0.1, 0.5, 1.0)


def key(endpoint="/", status="200", bounds=BOUNDS):
    labels = json.dumps({"endpoint": endpoint, "method": "GET", "status": status}, sort_keys=True)
    return SeriesKey(REQUESTS, labels, json.dumps(bounds))


def amount(*buckets):
    return Amount(sum(buckets), sum(buckets) * 0.25, buckets)


@pytest.fixture
def database(tmp_path):
    database = RecentDatabase(tmp_path / "recent.db")
    yield database
    database.close()


@pytest.fixture
def queries(database):
    return PointQueries(database, (Plotted(REQUESTS, ("endpoint", "method", "status")),))


def add(database, t, added):
    with database.writing() as connection:
        add_points(connection, added, t)


@pytest.mark.parametrize("few", [20, 0])  # series that are few in their family are looked up one by one
def test_the_figures_of_a_window_are_what_was_counted_in_it(database, queries, few, monkeypatch):
    monkeypatch.setattr(reading, "_FEW_SHARE", few)
    random.seed(22)
    counted = []
    for slot in sorted(random.sample(range(8640), 150)):  # of a day
        t = NOW - slot * 10
        added = {key(random.choice("abc"), random.choice(["200", "500"])): amount(random.randrange(1, 9), 1, 0, 2)}
        counted += [(t, json.loads(each.labels), n) for each, n in added.items()]
        add(database, t, added)

    for _ in range(40):
        until = NOW - random.choice([0, 0, random.randrange(86_400)])
        since = until - random.randrange(10, 86_400)
        expected = {}
        for t, labels, n in counted:
            if since // 10 * 10 < t <= -(-until // 10) * 10:
                both = expected.setdefault(labels["endpoint"], Amount(0, 0, (0, 0, 0, 0)))
                expected[labels["endpoint"]] = both.plus(n)
        found = queries.totals(REQUESTS, since, until, by=("endpoint",), has_buckets=True)

        assert {each.labels["endpoint"]: Amount(each.value, each.sum, each.buckets) for each in found} == expected
        assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    errors = queries.totals(REQUESTS, NOW - 86_400, NOW, match={"status": "500"})
    assert errors[0].value == sum(n.value for _, labels, n in counted if labels["status"] == "500")


def test_over_time_nothing_is_zero_and_no_sample_is_none(database, queries):
    for slot in range(1, 31):
        if not 12 < slot <= 18:
            add(database, NOW + slot * 10, {key(status="500" if slot == 30 else "200"): amount(6)})

    good, bad = queries.over_time(REQUESTS, NOW, NOW + 300, 60, by=("status",))

    assert good.times == (NOW + 60, NOW + 120, NOW + 180, NOW + 240, NOW + 300)
    assert (good.labels, good.values) == ({"status": "200"}, (36, 36, None, 36, 30))
    assert (bad.labels, bad.values) == ({"status": "500"}, (0, 0, None, 0, 6))
    assert good.rates == (0.6, 0.6, None, 0.6, 0.5)


def test_the_rate_of_a_step_that_has_not_ended_is_that_of_its_samples(database, queries):
    for slot in range(1, 9):
        add(database, NOW + slot * 10, {key(): amount(10)})

    (points,) = queries.over_time(REQUESTS, NOW, NOW + 80, 60)

    assert points.times == (NOW + 60, NOW + 120)
    assert points.rates == (1, 1)


def test_percentiles_over_time_are_none_where_nothing_was_measured(database, queries):
    add(database, NOW + 10, {key(): amount(10, 0, 0, 0)})
    add(database, NOW + 20, {})
    add(database, NOW + 30, {key(): amount(0, 10, 0, 0), key(status="500"): amount(0, 0, 80, 0)})

    p50, p99 = queries.percentiles_over_time(REQUESTS, NOW, NOW + 40, 10, which=(50, 99))

    assert (p50.labels, p99.labels) == ({"percentile": "p50"}, {"percentile": "p99"})
    assert p50.values == (pytest.approx(0.05), None, pytest.approx(0.71875), None)


def test_histograms_of_two_versions_are_added_by_the_bounds_that_both_have(database, queries):
    add(database, NOW, {key(): amount(1, 2, 3, 4), key(bounds=(0.1, 1.0)): amount(10, 20, 30)})

    (found,) = queries.totals(REQUESTS, NOW - 60, NOW, has_buckets=True)

    assert (found.value, found.bounds, found.buckets) == (70, (0.1, 1.0), (11, 25, 34))


def test_queries_find_series_that_were_added_since_and_those_of_another_file(database, queries):
    def endpoints():
        found = queries.totals(REQUESTS, NOW - 60, NOW, by=("endpoint",))
        return sorted(each.labels["endpoint"] for each in found)

    add(database, NOW, {key("/a"): amount(1)})
    assert endpoints() == ["/a"]
    add(database, NOW, {key("/b"): amount(1)})
    assert endpoints() == ["/a", "/b"]

    database.path.unlink()
    add(database, NOW, {key("/c"): amount(1), key("/d"): amount(1)})
    assert endpoints() == ["/c", "/d"]


def test_what_is_not_there_is_nothing(database, queries):
    assert queries.newest_sample() is None
    assert queries.totals("nothing", 0, NOW) == []
    assert queries.over_time(REQUESTS, NOW - 60, NOW, 10) == []
    assert [each.values for each in queries.percentiles_over_time(REQUESTS, NOW - 20, NOW, 10)] == [(None, None)] * 3

    add(database, NOW, {})
    assert queries.newest_sample() == NOW
    assert queries.totals(REQUESTS, NOW - 60, NOW) == []


def rows(database):
    with database.reading() as connection:
        return dict(connection.execute("SELECT tier, count(*) FROM points GROUP BY tier").fetchall())


def kept_rows(database):
    with database.reading() as connection:
        return connection.execute("SELECT number_of_rows FROM point_state").fetchone()[0]


def test_points_are_removed_by_age_and_by_number_the_oldest_first(database, queries):
    for hours in (24 * 15, 24 * 13, 7, 5, 0):
        add(database, NOW - hours * 3600, {key(): amount(1)})
    prune(database, NOW)
    assert rows(database) == {10: 4, 60: 4, 300: 8, 1800: 8, 10_800: 6, 86_400: 4}
    assert queries.totals(REQUESTS, NOW - 14 * 86_400, NOW)[0].value == 4

    for slot in range(100):
        add(database, NOW + slot * 10, {key(str(n)): amount(1) for n in range(10)})
    assert kept_rows(database) == sum(rows(database).values()) > 1000
    prune(database, NOW + 1000, max_bytes=ROW_BYTES * 500)
    assert 300 < sum(rows(database).values()) <= 500
    assert kept_rows(database) == sum(rows(database).values())
    assert queries.newest_sample() == NOW + 990
    assert queries.totals(REQUESTS, NOW + 900, NOW + 1000)[0].value == 90


def test_series_without_points_and_groups_without_processes_are_forgotten(database):
    add(database, NOW - 20 * 86_400, {key("/old"): amount(1)})
    add(database, NOW, {key("/new"): amount(1)})
    prune(database, NOW)
    with database.writing() as connection:
        connection.execute("INSERT INTO samplers VALUES ('old', 1, '[]', 0, ?)", (NOW - 2 * 86_400,))
        connection.execute("INSERT INTO totals (source, series, value, sum) VALUES ('old', 1, 0, 0)")
    forget_unused(database, NOW)

    with database.reading() as connection:
        assert [json.loads(labels)["endpoint"] for (labels,) in connection.execute("SELECT labels FROM series")] == [
            "/new"
        ]
        assert connection.execute("SELECT count(*) FROM samplers").fetchone() == (0,)
