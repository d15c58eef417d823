"""SharedSeries: totals in a file are what was measured, whoever is killed, forked, or takes the file away."""

import os
import random
import threading

import pytest

from telemetry.metrics.measuring.shared_file import SharedFile
from telemetry.metrics.measuring.shared_series import Shape, SharedMeasurements, read_series
from tests.support.each_instruction import seen_at_each_instruction
from tests.support.forking import in_child

COUNTER = Shape("jobs", "Jobs.", "{job}", None)
SECONDS = Shape("seconds", "Seconds.", "s", (0.1, 1.0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "numbers"


def read(path):
    return {
        (shape.name, *attributes.values()): (total, counts)
        for shape, attributes, total, counts in read_series(path.read_bytes())
    }


def test_counters_and_histograms_are_in_the_file_with_their_attributes(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))

    for amount in (1, 2, 0.5):
        shared.series(COUNTER, "a", {"job": "a"}).record(amount)
        shared.series(SECONDS, "b", {"job": "b"}).record(amount)

    assert read(path) == {("jobs", "a"): (3.5, ()), ("seconds", "b"): (3.5, [0, 2, 1])}
    assert [shape for shape, *_ in read_series(path.read_bytes())] == [COUNTER, SECONDS]


@pytest.mark.parametrize("shape", [COUNTER, SECONDS])
def test_a_process_that_is_killed_at_any_instruction_leaves_a_measurement_whole_or_not_at_all(path, shape):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    series = shared.series(shape, 1, {"a": 1})
    series.record(0.05)

    for _ in range(3):  # with an odd number of measurements, and with an even one
        before = read(path)
        seen = seen_at_each_instruction(lambda: series.record(2.0), lambda: read(path), "measuring")
        after = read(path)

        assert len(seen) > 10
        assert before != after
        assert [each for each in seen if each not in (before, after)] == []


def test_a_new_series_is_there_with_its_first_measurement_or_without(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))

    seen = seen_at_each_instruction(
        lambda: shared.series(SECONDS, 1, {"a": 1}).record(0.5), lambda: read(path), "measuring"
    )

    wanted = [{}, {("seconds", 1): (0.0, [0, 0, 0])}, {("seconds", 1): (0.5, [0, 1, 0])}]
    assert [each for each in seen if each not in wanted] == []
    assert seen[-1] == wanted[-1]


def test_what_was_measured_before_there_was_a_file_is_in_it(path):
    shared = SharedMeasurements()
    series = shared.series(SECONDS, 1, {"a": 1})
    series.record(5.0)
    series.record(0.5)
    series.record(0.5)

    shared.move_to(SharedFile(path))

    assert read(path) == {("seconds", 1): (6.0, [0, 2, 1])}


def test_another_file_takes_over_all_totals_also_from_one_that_was_truncated(path):
    """A look into a truncated file would end the process by SIGBUS: this is why the totals are in private memory, too."""
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    series = shared.series(SECONDS, 1, {"a": 1})
    series.record(5.0)
    os.truncate(path, 0)

    shared.move_to(SharedFile(path))
    series.record(0.5)

    assert read(path) == {("seconds", 1): (5.5, [0, 1, 1])}


def test_without_a_file_nothing_is_lost_that_a_later_file_could_have(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    series = shared.series(COUNTER, 1, {})
    series.record(1)
    shared.detach()
    series.record(2)
    shared.series(COUNTER, 2, {"a": 2}).record(7)
    assert read(path) == {("jobs",): (1.0, ())}

    shared.move_to(SharedFile(path))

    assert read(path) == {("jobs",): (3.0, ()), ("jobs", 2): (7.0, ())}


def test_a_series_without_room_is_measured_all_the_same(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    huge = shared.series(COUNTER, 1, {"a": "x" * 5000})
    huge.record(1)

    shared.series(COUNTER, 2, {"a": 2}).record(1)

    assert read(path) == {("jobs", 2): (1.0, ())}


def test_a_child_writes_nothing_into_its_parents_file(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    series = shared.series(SECONDS, 1, {"a": 1})
    series.record(5.0)

    def child():
        shared.restart()
        series.record(5.0)
        shared.series(COUNTER, 2, {}).record(1)
        return series._totals

    with series._lock, shared._lock:  # as another thread of the parent may, when it forks
        in_another_thread = threading.Thread(target=lambda: answers.append(in_child(child)))
        answers = []
        in_another_thread.start()
        in_another_thread.join(60)

    assert answers == [[0.0, 5.0, 0.0, 0.0, 1.0]]
    assert read(path) == {("seconds", 1): (5.0, [0, 0, 1])}


def test_threads_that_measure_while_the_file_is_replaced_lose_nothing(path):
    shared = SharedMeasurements()
    amounts = [0.05, 0.5, 5.0]

    def measure(seed):
        chance = random.Random(seed)
        for number in range(2000):
            shared.series(SECONDS, number % 7, {"a": number % 7}).record(chance.choice(amounts))

    threads = [threading.Thread(target=measure, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    is_running = True
    while is_running:
        is_running = any(thread.is_alive() for thread in threads)
        shared.move_to(SharedFile(path))
    for thread in threads:
        thread.join(30)

    found = read(path)
    assert len(found) == 7
    assert sum(sum(counts) for _, counts in found.values()) == 6000
    for total, (low, middle, high) in found.values():
        assert total == pytest.approx(low * 0.05 + middle * 0.5 + high * 5.0)


def test_attributes_that_json_cannot_hold_are_refused(path):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))

    with pytest.raises(TypeError):
        shared.series(COUNTER, 1, {"a": b"bytes"})

    assert read(path) == {}


def test_after_a_fork_all_begins_at_zero(path):
    shared = SharedMeasurements()
    counter, seconds = shared.series(COUNTER, 1, {}), shared.series(SECONDS, 2, {"a": 2})
    for series in (counter, seconds):
        series.record(5.0)
    shared.restart()
    for series in (counter, seconds):
        series.record(0.5)

    shared.move_to(SharedFile(path))

    assert read(path) == {("jobs",): (0.5, ()), ("seconds", 2): (0.5, [0, 1, 0])}


def test_two_threads_that_meet_a_series_first_share_one(path, monkeypatch):
    shared = SharedMeasurements()
    shared.move_to(SharedFile(path))
    first = shared.series(COUNTER, 1, {})

    class Late(dict):
        """Another thread has added the series just after the first look."""

        looks = 0

        def get(self, key):
            self.looks += 1
            return None if self.looks == 1 else super().get(key)

    monkeypatch.setattr(shared, "_series", Late(shared._series))

    assert shared.series(COUNTER, 1, {}) is first
    assert len(read(path)) == 1
