"""Nimble: the turns of threads are shorter for as long as somebody wants it, and then as they were."""

import sys

import pytest

from telemetry.metrics.switch_interval import short_switch_interval


@pytest.fixture(autouse=True)
def interval():
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before)


def test_turns_are_short_inside_and_as_before_outside(interval):
    with short_switch_interval():
        inside = sys.getswitchinterval()

    assert inside == pytest.approx(0.0005)
    assert sys.getswitchinterval() == interval


def test_what_raises_inside_leaves_the_turns_as_they_were(interval):
    with pytest.raises(RuntimeError), short_switch_interval():
        raise RuntimeError

    assert sys.getswitchinterval() == interval


def test_the_last_of_several_who_overlap_gives_the_turns_back(interval):
    one, other = short_switch_interval(), short_switch_interval()
    one.__enter__()
    other.__enter__()

    one.__exit__(None, None, None)
    still = sys.getswitchinterval()
    other.__exit__(None, None, None)

    assert still == pytest.approx(0.0005)
    assert sys.getswitchinterval() == interval


def test_turns_that_are_shorter_already_stay_so_however_often_they_are_put_back():
    sys.setswitchinterval(0.00010001)
    before = sys.getswitchinterval()

    for _ in range(5):
        with short_switch_interval():
            inside = sys.getswitchinterval()

    assert inside == sys.getswitchinterval() == before == pytest.approx(0.0001)
