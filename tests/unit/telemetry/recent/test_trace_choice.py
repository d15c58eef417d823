"""Which traces are kept: what failed, what was slow, each run, and of the rest a few a second."""

from dataclasses import replace

import pytest

from telemetry.recent.drops import Drops
from telemetry.recent.keeping import trace_choice
from telemetry.recent.keeping.trace_choice import TraceChoice, TraceEnd


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def drops():
    return Drops()


@pytest.fixture
def choice(clock, drops):
    return TraceChoice(drops, clock)


def end(name="GET /", seconds=0.01, spans=1, **values):
    return TraceEnd(name, seconds, values.get("failed", False), values.get("is_job", False), spans)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (end(failed=True), "failed"),
        (end(failed=True, is_job=True), "failed"),
        (end(is_job=True), "job"),
        (end(is_job=True, seconds=100), "job"),
        (end(seconds=1.0), "slow"),
        (end(seconds=0.999), "sample"),
    ],
)
def test_the_reason_of_the_first_one_of_its_name(ended, reason, choice):
    assert choice.choose(ended) == reason


@pytest.mark.parametrize(
    ("usual", "seconds", "is_slow"),
    [(0.1, 0.41, True), (0.1, 0.3, False), (0.001, 0.015, False), (0.001, 0.03, True), (0.5, 0.9, False)],
)
def test_slow_is_four_times_the_usual(usual, seconds, is_slow, choice):
    for _ in range(50):
        choice.choose(end(seconds=usual))

    assert (choice.choose(end(seconds=seconds)) == "slow") is is_slow


def test_of_one_name_one_a_second_is_a_sample(choice, clock):
    found = [choice.choose(end()) for _ in range(100)]
    clock.now += 1
    later = [choice.choose(end()) for _ in range(100)]

    assert found.count("sample") == later.count("sample") == 1


def test_of_all_names_five_a_second_are_samples(choice, clock):
    found = [choice.choose(end(f"GET /{number}")) for number in range(1000)]
    clock.now += 10
    later = [choice.choose(end(f"GET /{number}")) for number in range(1000)]

    assert found.count("sample") == later.count("sample") == 5


def test_failures_beyond_what_can_be_encoded_are_counted(choice, clock, drops):
    found = [choice.choose(end(failed=True, spans=100)) for _ in range(1000)]
    kept = found.count("failed")
    clock.now += 1

    assert kept == trace_choice.SPANS_AT_ONCE // 100
    assert drops.numbers() == {("trace", "rate"): 1000 - kept}
    assert choice.choose(end(failed=True, spans=100)) == "failed"


def test_slow_ones_leave_room_for_failures(choice):
    slow = [choice.choose(end(seconds=2.0)) for _ in range(100_000)]

    assert slow.count("slow") == 10 * trace_choice.SLOW_A_SECOND
    assert choice.choose(end(failed=True)) == "failed"


def test_names_without_end_take_no_memory_without_end(choice):
    for number in range(3 * trace_choice.MAX_NAMES):
        choice.choose(end(f"GET /{number}"))

    assert len(choice._names) == trace_choice.MAX_NAMES


def test_a_clock_that_was_set_back_gives_no_allowance(choice, clock):
    choice.choose(end())
    clock.now -= 3600

    assert [choice.choose(end(f"GET /{number}")) for number in range(100)].count("sample") <= 5


def test_single_queries_of_background_threads_are_kept_only_if_they_fail_or_are_slow(choice):
    def query(**values):
        return replace(end("other SELECT claims", **values), is_other=True)

    assert choice.choose(query()) is None
    assert choice.choose(query(failed=True)) == "failed"
    assert choice.choose(query(seconds=2.0)) == "slow"
