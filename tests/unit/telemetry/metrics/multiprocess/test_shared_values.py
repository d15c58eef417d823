"""SharedValues: a killed worker takes nothing with it that was measured, and nothing is counted twice."""

import errno
import math
import shutil
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider

from telemetry import semconv
from telemetry.metrics.families import Family, Translator
from telemetry.metrics.histogram import HistogramValue
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.measuring.shared_series import SharedMeasurements
from telemetry.metrics.multiprocess import collector, shared_values
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.shared_values import SharedValues, completed
from telemetry.metrics.multiprocess.worker_files import numbers_file
from telemetry.metrics.reader import FamilyReader
from telemetry.metrics.views import views
from tests.support.forking import in_child
from tests.support.workers import at_each_disk_access, registered

REQUEST = {semconv.HTTP_METHOD: "GET", semconv.HTTP_ROUTE: "/a", semconv.HTTP_STATUS_CODE: 200}
LABELS = 'method="GET",endpoint="/a",status="200"'


class MeasuringWorker:
    """A worker with the SDK's instruments, as a service has them. It writes snapshots when it is told to."""

    def __init__(self, directory, vocabulary="service", limit=2000):
        self.registry = registered(directory, "group")
        reader = FamilyReader(vocabulary, Translator())
        shared = SharedMeasurements()
        self.provider = LimitedMeterProvider(
            MeterProvider([reader], views=views(), shutdown_on_exit=False), limit, shared
        )
        self.values = SharedValues(shared, reader.translate)
        self.collector = MultiprocessCollector(self.registry, reader.collect_own, shared=self.values)
        meter = self.provider.get_meter("test")
        self.seconds = meter.create_histogram(semconv.HTTP_SERVER_DURATION, "s", "Requests.")
        self.counter = meter.create_counter("own.things", "{thing}", "Things.")
        self.active = meter.create_up_down_counter("own.active")
        self.collector.start()

    def serve(self, number=1, **attributes):
        for _ in range(number):
            self.seconds.record(0.05, {**REQUEST, **attributes})

    def page(self):
        return {family.name: family for family in self.collector.collect()}

    def requests(self):
        return self.page()["http_requests_total"].series.get(LABELS, 0)

    def kill(self):
        self.collector._stop.set()
        self.collector._refresh_server.stop()
        self.collector._thread.join(10)
        self.registry.release()


@pytest.fixture
def worker(tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    made = []

    def start(*args, **kwargs):
        made.append(MeasuringWorker(tmp_path, *args, **kwargs))
        return made[-1]

    yield start
    for each in made:
        each.kill()


@pytest.mark.parametrize("is_archived", [False, True])
def test_what_a_killed_worker_measured_after_its_last_snapshot_is_counted(worker, is_archived):
    one, other = worker(), worker()
    other.serve(2)
    assert one.requests() == 2
    other.serve(3)
    other.serve(1, **{semconv.HTTP_STATUS_CODE: 500})
    other.counter.add(4, {"kind": "x"})
    other.counter.add(0.5, {"kind": "x"})

    other.kill()
    if is_archived:
        one.collector._archive_dead()

    page = one.page()
    assert page["http_requests_total"].series == {LABELS: 5, LABELS.replace("200", "500"): 1}
    histogram = page["http_request_duration_seconds"].histograms[LABELS]
    assert (sum(histogram.counts), histogram.counts[2]) == (5, 5)
    assert histogram.sum == pytest.approx(0.25, abs=1e-6)
    assert page["own_things_total"].series == {'kind="x"': 4.5}


def test_a_worker_that_was_killed_before_its_first_snapshot_is_counted(worker):
    one, other = worker(), worker()
    other.serve(3)
    other.collector._own.snapshot_path.write_bytes(b"")

    other.kill()
    assert one.requests() == 3
    one.collector._archive_dead()

    assert one.requests() == 3


def test_nothing_is_counted_twice_at_any_moment_of_anothers_archiving(worker):
    one, reading = worker(), worker()
    other = worker()
    other.serve(3)
    other.collector._refresh()
    other.serve(4)
    other.kill()
    seen = []

    for disk in at_each_disk_access(lambda: seen.append(reading.requests())):
        with disk:
            one.collector._archive_dead()
        seen.append(reading.requests())

    assert set(seen) == {7}


def test_nothing_is_counted_twice_when_another_archives_at_any_moment_of_a_read(worker):
    one, reading = worker(), worker()

    for killed, disk in enumerate(at_each_disk_access(one.collector._archive_dead), start=1):
        other = worker()
        other.serve(2)
        other.collector._refresh()
        other.serve(3)
        other.kill()
        with disk:
            found = reading.requests()
        assert found == 5 * killed
        one.collector._archive_dead()


def test_the_files_of_dead_workers_are_removed_and_those_of_live_ones_stay(worker):
    one, other = worker(), worker()
    assert numbers_file(other.collector._own.snapshot_path).exists()

    other.kill()
    one.collector._archive_dead()

    directory = one.collector._directory
    assert [path.name for path in directory.glob("*.numbers")] == [f"{one.registry.id}.numbers"]


def test_a_worker_that_ends_in_order_leaves_its_snapshot_alone(worker, memory):
    one, other = worker(), worker()
    other.serve(3)

    other.collector.stop()
    other.serve(1)

    assert [path.name for path in memory.iterdir()] == [f"telemetry-numbers-{one.registry.id}"]
    other.registry.release()
    assert one.requests() == 3


def test_a_worker_that_ends_in_order_and_cannot_write_a_snapshot_leaves_its_numbers(worker, monkeypatch):
    one, other = worker(), worker()
    other.serve(3)
    with monkeypatch.context() as full:
        full.setattr(collector, "replace_file", lambda *_: _no_space(_))
        other.collector.stop()

    other.registry.release()

    assert one.requests() == 3


def test_numbers_that_complete_no_snapshot_are_removed(worker):
    one = worker()
    (one.collector._directory / "gone.numbers").touch()

    one.collector._archive_dead()

    assert [path.name for path in one.collector._directory.glob("*.numbers")] == [f"{one.registry.id}.numbers"]


def test_by_opentelemetrys_names_it_is_the_same(worker):
    one, other = worker("otel"), worker("otel")
    other.serve(1)
    assert sum(one.page()["http_server_request_duration_seconds"].histograms.popitem()[1].counts) == 1
    other.serve(2)

    other.kill()

    [histogram] = one.page()["http_server_request_duration_seconds"].histograms.values()
    assert sum(histogram.counts) == 3


def test_attribute_sets_that_share_labels_are_summed(worker):
    """The page knows no schemes and no versions of the protocol: these are parts of one series."""
    one, other = worker(), worker()
    other.serve(2, **{semconv.URL_SCHEME: "http"})
    other.collector._refresh()
    other.serve(3, **{semconv.URL_SCHEME: "https"})

    other.kill()

    assert one.requests() == 5


def test_what_is_over_the_limit_is_counted_as_overflow(worker):
    one, other = worker(), worker(limit=3)
    for number in range(10):
        other.counter.add(1, {"n": number})

    other.kill()

    series = one.page()["own_things_total"].series
    assert series == {'n="0"': 1, 'n="1"': 1, 'otel_metric_overflow="true"': 8}


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"a": "x"},
        {"a": 'q"uo\\te\n'},
        {"a": "ü\udc80"},
        {"a": True},
        {"a": 1},
        {"a": 1.5},
        {"a": ("x", "y")},
        {"a": [1, 2]},
        {"a": None},
        {"a.b": 1, "c": "d"},
        {"le": "1"},
    ],
)
def test_the_labels_are_those_of_the_snapshot(worker, attributes):
    one, other = worker(), worker()
    other.counter.add(1, attributes)
    other.collector._refresh()
    before = one.page()["own_things_total"].series

    other.counter.add(2, attributes)
    other.kill()

    after = one.page()["own_things_total"].series
    assert before == dict.fromkeys(before, 1)
    expected = 1 if isinstance(attributes.get("a"), list) else 3  # lists are never bound: snapshots have them
    assert after == dict.fromkeys(before, expected)


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, 2**70, "x", None])
def test_odd_values_leave_the_others_alone(worker, amount):
    one, other = worker(), worker()
    for _ in range(2):
        other.counter.add(1, {"a": 1})
        other.seconds.record(amount, {**REQUEST, "odd": 1})
        other.counter.add(-1, {"a": 1})

    other.kill()

    assert one.page()["own_things_total"].series == {'a="1"': 2}


def test_large_integers_are_not_rounded_up(worker):
    one, other = worker(), worker()
    other.counter.add(2**53 + 1, {})
    other.counter.add(2, {})
    other.collector._refresh()

    other.kill()

    assert one.page()["own_things_total"].series == {"": 2**53 + 3}


def test_a_gauge_of_a_dead_worker_is_gone(worker):
    one, other = worker(), worker()
    other.active.add(3)
    other.active.add(3)

    other.kill()

    assert one.page().get("own_active", Family("", "gauge", "")).series == {}


def test_exemplars_stay(worker):
    one, other = worker(), worker()
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1)))
    context = trace.set_span_in_context(span)
    other.seconds.record(0.05, REQUEST, context)
    other.collector._refresh()
    other.serve(3)

    other.kill()

    histogram = one.page()["http_request_duration_seconds"].histograms[LABELS]
    assert sum(histogram.counts) == 4
    assert len(histogram.exemplars) == 1


def test_the_larger_of_both_counts_and_a_family_of_another_kind_stays_apart():
    bounds = (1.0,)
    snapshot = [
        Family("a", "counter", "", {"x": 5, "y": 1.5}),
        Family("b", "gauge", "", {"": 1}),
        Family(
            "c",
            "histogram",
            "",
            {},
            {"": HistogramValue(bounds, [3, 1], 4.0), "z": HistogramValue((2.0,), [1, 0], 1.0)},
        ),
    ]
    shared = [
        Family("a", "counter", "", {"x": 4, "y": 2.5, "new": 1}),
        Family("b", "counter", "", {"": 9}),
        Family(
            "c",
            "histogram",
            "",
            {},
            {"": HistogramValue(bounds, [2, 2], 5.0), "z": HistogramValue(bounds, [9, 9], 9.0)},
        ),
    ]

    a, b, c, other = completed(snapshot, shared)

    assert a.series == {"x": 5, "y": 2.5, "new": 1}
    assert (b.kind, b.series) == ("gauge", {"": 1})
    assert (other.kind, other.series) == ("counter", {"": 9})
    assert c.histograms[""] == HistogramValue(bounds, [3, 2], 5.0)
    assert c.histograms["z"] == HistogramValue((2.0,), [1, 0], 1.0)
    assert snapshot[0].series == {"x": 5, "y": 1.5}


def test_what_a_killed_worker_has_counted_is_of_its_own_metric_whatever_the_order(worker):
    one, killed = worker(), worker()
    for each, names in ((one, ("a.b", "a_b", "a-b")), (killed, ("a-b", "a_b", "a.b"))):
        for name in names:
            each.provider.get_meter("test").create_counter(name).add(len(name) + "-._".index(name[1]))
    killed.kill()

    found = {family.source: family.series for family in one.collector.collect() if family.source.startswith("a")}

    assert found == {"a-b": {"": 6}, "a.b": {"": 8}, "a_b": {"": 10}}


def test_a_disk_that_is_full_is_said_once_and_so_is_its_end_and_then_nothing_is_missing(worker, monkeypatch, caplog):
    caplog.set_level("INFO")
    one = worker()
    with monkeypatch.context() as full:
        full.setattr(shared_values, "SharedFile", _no_space)
        other = worker()
        other.serve(5)
        for _ in range(3):
            other.values.keep(other.collector._own.snapshot_path)

    for _ in range(3):
        other.values.keep(other.collector._own.snapshot_path)
    other.serve(2)
    other.kill()

    assert one.requests() == 7
    assert [record.levelname for record in caplog.records if record.name == shared_values.__name__] == [
        "WARNING",
        "INFO",
    ]


def _no_space(_path):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_later_changes_nothing(worker, monkeypatch):
    one, other = worker(), worker()
    other.serve(5)
    assert one.requests() == 5
    monkeypatch.setattr(collector, "replace_file", lambda *_: _no_space(_))
    other.serve(2)
    other.collector._refresh()

    other.kill()

    assert one.requests() == 7


def test_a_file_that_was_truncated_is_made_again_with_all_totals(worker):
    one, other = worker(), worker()
    other.serve(5)
    path = numbers_file(other.collector._own.snapshot_path)
    path.write_bytes(b"")

    other.values.keep(other.collector._own.snapshot_path)
    other.serve(1)
    other.kill()

    assert one.requests() == 6


@pytest.mark.parametrize("content", [b"", b"nonsense", b"numbers\x01" + b"\xff" * 64, b"numbers\x01" + b"\x7f" * 64])
def test_a_broken_file_leaves_the_snapshot(worker, content):
    one, other = worker(), worker()
    other.serve(5)
    other.collector._refresh()
    other.kill()

    numbers_file(other.collector._own.snapshot_path).write_bytes(content)

    assert one.requests() == 5
    one.collector._archive_dead()
    assert one.requests() == 5


def test_a_process_that_is_no_worker_makes_no_file(tmp_path):
    values = SharedValues(None, lambda _metrics: [])

    values.keep(tmp_path / "a.json")

    assert list(tmp_path.iterdir()) == []


def test_a_removed_directory_is_said_once(worker, caplog):
    one = worker()
    shutil.rmtree(one.collector._directory)

    for _ in range(3):
        one.values.keep(one.collector._own.snapshot_path)

    assert len([record for record in caplog.records if record.name == shared_values.__name__]) == 1
    one.serve(1)
    assert one.requests() == 1


def test_what_a_forked_child_measures_is_not_its_parents(worker):
    one, other = worker(), worker()
    other.serve(2)

    def child():
        other.serve(100)
        return 1

    assert in_child(child) == 1
    other.kill()

    assert one.requests() == 2


def test_a_child_of_a_process_without_workers_has_nothing_to_begin_anew():
    values = SharedValues(None, lambda _metrics: [])

    values.restart_in_child()
    values.close(Path("a.json"))

    assert values._file is None


def test_after_a_fork_a_worker_shares_what_it_measures_itself(worker):
    one, other = worker(), worker()
    other.serve(2)
    other.values.restart_in_child()  # as a server does that forks its workers after the application was imported
    other.serve(3)
    other.values.keep(other.collector._own.snapshot_path)

    other.kill()

    assert one.requests() == 3
