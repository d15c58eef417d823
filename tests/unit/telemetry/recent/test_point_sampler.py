"""Samples of a group: each count once, whoever takes them, and whatever becomes of processes, clocks and the file."""

import sqlite3
from contextlib import contextmanager, suppress

import pytest

from telemetry.metrics.families import Family
from telemetry.processes.registry import ProcessRegistry
from telemetry.recent.database import RecentDatabase
from telemetry.recent.point_queries import PointQueries
from telemetry.recent.point_sampler import Clocks, PointSampler, Sampled
from telemetry.recent.points.family_totals import FamilyTotals

START = 1_800_000_000


class Service:
    """What all its workers have counted."""

    def __init__(self, directory):
        self.directory = directory
        self.wall, self.monotonic = float(START), 5000.0
        self.counted, self.uptime = {}, 3600.0
        self.database = RecentDatabase(directory / "recent.db")
        self.registries = []

    def count(self, number, status="200"):
        self.counted[status] = self.counted.get(status, 0) + number

    def collect(self):
        labels = {f'method="GET",endpoint="/",status="{status}"': n for status, n in self.counted.items()}
        return [
            Family("app_uptime_seconds", "gauge", "", {"": self.uptime}),
            Family("http_request_duration_seconds", "counter", "", labels),
        ]

    def sampler(self, group="g"):
        registry = ProcessRegistry(self.directory)
        if group:
            registry.join(group)
        self.registries.append(registry)
        clocks = Clocks(lambda: self.wall, lambda: self.monotonic)
        return PointSampler(self.database, registry, Sampled(self.collect, FamilyTotals()), clocks)

    def end_processes(self):
        for registry in self.registries:
            registry.release()
        self.registries.clear()

    def wait(self, seconds=10.0):
        self.wall += seconds
        self.monotonic += seconds

    def total(self, since=START - 86_400 * 3, until=None):
        queries = PointQueries(self.database)
        found = queries.totals("http_request_duration_seconds", since, until or self.wall)
        return sum(total.value for total in found)

    def by_slot(self, since=START):
        (points,) = PointQueries(self.database).over_time("http_request_duration_seconds", since, self.wall, 10)
        return points.values


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path)
    yield service
    service.end_processes()
    service.database.close()


def test_the_first_sample_of_a_running_group_is_only_a_base(service):
    service.count(1000)
    sampler = service.sampler()

    sampler.sample()
    service.wait()
    service.count(7)
    service.count(3, "500")
    sampler.sample()

    assert service.total() == 10
    assert service.by_slot() == (10.0,)


@pytest.mark.parametrize("group", ["g", ""])
def test_the_first_sample_of_a_process_that_has_just_started_counts(service, group):
    service.uptime = 2.0
    service.count(4)

    service.sampler(group).sample()

    assert service.total(until=START + 10) == 4


def test_of_a_group_one_process_samples_and_another_goes_on_when_it_is_gone(service):
    first, second = service.sampler(), service.sampler()
    for sampler in (first, second):
        sampler.sample()
    service.wait()
    service.count(10)
    second.sample()
    assert not service.total()  # the first one is elected

    first.sample()
    service.wait(30)
    service.count(6)
    first._election.withdraw()  # as a kill does
    second.sample()
    service.wait()
    service.count(1)
    second.sample()

    assert service.by_slot() == (10, 2, 2, 2, 1)  # the interval without a sampler is spread evenly
    assert service.total() == 17


@pytest.mark.parametrize("has_sampled", [True, False])
def test_another_process_takes_over_from_one_that_hangs_within_thirty_seconds(service, has_sampled):
    hung, others = service.sampler(), [service.sampler(), service.sampler()]
    if has_sampled:
        hung.sample()
    else:
        assert hung._election.is_elected("g")
    for _ in range(6):
        for other in others:
            other.sample()
        service.wait()
        service.count(5)
    taken = service.total()
    hung.sample()  # it goes on
    service.wait()
    service.count(5)
    for sampler in (hung, *others):
        sampler.sample()

    assert taken >= 15
    assert service.total() == (35 if has_sampled else 25)
    assert [sampler._election.is_elected("g") for sampler in (hung, *others)].count(True) == 1


def test_nobody_takes_over_from_one_that_samples(service):
    first, second = service.sampler(), service.sampler()
    for _ in range(6):
        first.sample()
        second.sample()
        service.wait()

    assert first._election.is_elected("g")
    assert not second._election.is_elected("g")


def test_a_longer_pause_is_a_gap_and_said(service):
    sampler = service.sampler()
    sampler.sample()
    service.wait(400)
    service.count(1000)
    sampler.sample()
    service.wait()
    service.count(2)
    sampler.sample()

    assert service.by_slot() == (*[None] * 39, 0, 2)
    assert sum(sampler._sampled.drops.numbers().values()) == 3  # the series, and its two sums


def test_two_processes_that_both_take_themselves_for_elected_count_once(service):
    first, second = service.sampler(), service.sampler()
    first.sample()
    lock = next(service.directory.glob("workers/*/recent.lock"))
    for _ in range(3):
        lock.unlink()
        service.wait()
        service.count(5)
        second.sample()
        first.sample()
        second.sample()

    service.wait()
    first.sample()
    second.sample()

    assert service.total() == 15


def test_a_restart_keeps_the_history_and_is_no_spike(service):
    service.uptime = 1.0
    sampler = service.sampler()
    sampler.sample()
    for _ in range(3):
        service.wait()
        service.count(100)
        sampler.sample()
    sampler.stop()
    service.end_processes()

    service.wait(60)
    service.counted = {"200": 3}
    again = service.sampler()
    again.sample()
    service.wait()
    service.count(4)
    again.sample()

    assert service.total() == 307
    assert service.by_slot() == (100, 100, 100, None, None, None, None, None, 3, 4)


def test_the_last_sample_of_a_process_has_what_it_has_counted_since(service):
    service.uptime = 1.0
    sampler = service.sampler("")
    sampler.sample()
    service.wait(3)
    service.count(2)
    sampler.stop()
    sampler.stop()

    assert service.total(until=START + 10) == 2


@pytest.mark.parametrize("jump", [-7200, -25, -3, 4, 25, 7200, 86_400])
def test_a_clock_that_is_set_loses_nothing_and_counts_nothing_twice(service, jump):
    sampler = service.sampler()
    sampler.sample()
    for seconds in (0, jump, 0):
        service.wait()
        service.wall += seconds
        service.count(10)
        sampler.sample()

    assert service.total(until=service.wall + 90_000) == 30


def test_a_file_that_is_deleted_costs_nothing_that_is_counted_later(service):
    sampler = service.sampler()
    service.count(50)
    sampler.sample()
    (service.directory / "recent.db").unlink()
    service.wait()
    service.count(5)

    sampler.sample()
    sampler._election.withdraw()
    successor = service.sampler()
    service.wait()
    service.count(2)
    successor.sample()

    assert service.total() == 7


@pytest.mark.parametrize(
    "change",
    [
        "series SET labels = '{'",
        "series SET bounds = '['",
        "families SET name = CAST(x'ff' AS TEXT) WHERE id = (SELECT max(id) FROM families)",
        "samplers SET workers = '['",
        "samplers SET taken = 'x'",
        "samplers SET number = 'x'",
        "totals SET value = 'x'",
        "totals SET sum = x'00'",
    ],
)
def test_values_that_nobody_has_written_are_damage_and_sampling_goes_on(service, change, caplog):
    first = service.sampler()
    first.sample()
    service.wait()
    service.count(5)
    first.sample()
    with service.database.writing() as connection:
        connection.execute(f"UPDATE {change}")
        connection.execute("UPDATE point_state SET series_version = series_version + 1")
    first._election.withdraw()
    successor = service.sampler()
    for _ in range(3):
        for use in (service.total, successor.sample):
            with suppress(sqlite3.OperationalError):
                use()
    service.wait()
    service.count(7)
    successor.sample()

    assert service.total() == 7
    assert caplog.text.count("recent.db is damaged") == 1


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), 1e308, 2**70, -5])
def test_a_number_that_is_none_keeps_no_other_from_being_kept(service, odd):
    sampler = service.sampler()
    sampler.sample()
    service.wait()
    service.counted = {"odd": odd, "200": 4}
    for _ in range(2):
        sampler.sample()

    found = PointQueries(service.database).totals("http_request_duration_seconds", START, service.wall, by=("status",))
    assert {total.labels["status"]: total.value for total in found}["200"] == 4


def test_what_could_not_be_written_is_in_the_next_sample(service, monkeypatch):
    sampler = service.sampler()
    sampler.sample()
    service.wait()
    service.count(4)

    @contextmanager
    def refuse():
        raise sqlite3.OperationalError("disk full")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(service.database, "writing", refuse)
        with pytest.raises(sqlite3.OperationalError):
            sampler.sample()
    service.wait()
    service.count(2)
    sampler.sample()

    assert service.by_slot() == (3, 3)


def test_a_step_samples_at_the_end_of_each_interval(service):
    service.wall += 4.5
    sampler = service.sampler()
    taken = []
    sampler.sample = lambda: taken.append(service.wall - START)

    for _ in range(30):
        sampler.step()
        service.wait(1)

    assert taken == [4.5, 10.5, 20.5, 30.5]


def test_a_process_that_joins_a_group_is_sampled_with_it(service):
    service.uptime = 1.0
    sampler = service.sampler("")
    sampler.sample()
    service.registries[0].join("g")
    service.uptime = 100.0
    sampler.sample()
    service.wait()
    service.count(3)
    sampler.sample()

    assert service.total() == 3


def test_series_beyond_the_limit_are_added_as_one_and_stay_there(service):
    sampler = service.sampler()
    sampler.sample()
    for number in range(1200):
        service.count(1, str(number))
    service.wait()
    sampler.sample()
    service.count(1, "1199")
    service.count(1, "0")
    service.wait()
    sampler.sample()

    found = PointQueries(service.database).totals(
        "http_request_duration_seconds", START, service.wall, by=("method", "status")
    )
    assert len(found) == 1001
    assert (found[0].labels, found[0].value) == ({"method": "other", "status": "other"}, 201)
    assert service.total() == 1202


def test_two_groups_add_to_the_same_figures(service):
    samplers = [service.sampler("workers"), service.sampler("scheduler")]
    for _ in range(2):
        for sampler in samplers:
            sampler.sample()
        service.wait()
        service.count(5)
    for sampler in samplers:
        sampler.sample()

    assert service.total() == 20  # what both have counted
    (points,) = PointQueries(service.database).over_time("http_request_duration_seconds", START, service.wall, 60)
    assert points.rates == (1.0,)  # of the seconds that were sampled, once


def test_a_child_counts_from_zero(service):
    sampler = service.sampler("")
    service.count(100)
    sampler.sample()
    service.counted = {"200": 3}
    sampler.restart_in_child()
    sampler.sample()

    assert service.total(until=START + 10) == 103
