"""short_switch_interval: shorter inside, and as before outside."""

import sys

import pytest

from telemetry.metrics.switch_interval import short_switch_interval


@pytest.fixture(autouse=True)
def interval():
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before)


def test_the_interval_is_short_inside_and_as_before_outside(interval):
    with short_switch_interval():
        inside = sys.getswitchinterval()

    assert inside == pytest.approx(0.0005)
    assert sys.getswitchinterval() == interval


def test_what_raises_inside_restores_the_interval(interval):
    with pytest.raises(RuntimeError), short_switch_interval():
        raise RuntimeError

    assert sys.getswitchinterval() == interval


def test_the_last_of_several_that_overlap_restores_the_interval(interval):
    one, other = short_switch_interval(), short_switch_interval()
    one.__enter__()
    other.__enter__()

    one.__exit__(None, None, None)
    still = sys.getswitchinterval()
    other.__exit__(None, None, None)

    assert still == pytest.approx(0.0005)
    assert sys.getswitchinterval() == interval


def test_an_interval_that_is_shorter_already_stays_so_however_often_it_is_restored():
    sys.setswitchinterval(0.00010001)
    before = sys.getswitchinterval()

    for _ in range(5):
        with short_switch_interval():
            inside = sys.getswitchinterval()

    assert inside == sys.getswitchinterval() == before == pytest.approx(0.0001)
