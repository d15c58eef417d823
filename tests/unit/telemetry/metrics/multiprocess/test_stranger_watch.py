"""A page lacks a process that serves with the group and does not join it in time."""

import pytest

from telemetry.metrics.multiprocess import stranger_watch
from telemetry.metrics.multiprocess.stranger_watch import GRACE, INTERVAL, StrangerWatch
from tests.support.workers import registered


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def registry(tmp_path):
    mine, other = registered(tmp_path, "shop"), registered(tmp_path, "bank")
    yield mine
    mine.release()
    other.release()


@pytest.fixture
def found(monkeypatch):
    found, asked = set(), []
    monkeypatch.setattr(stranger_watch, "find_strangers", lambda members: asked.append(list(members)) or set(found))
    return found, asked


def test_one_that_has_not_joined_in_time_is_lacking_until_it_joins(registry, found):
    strangers, asked = found
    clock = Clock()
    watch = StrangerWatch(registry, clock)
    assert not watch.are_there()

    strangers.add("socket 7")
    clock.now += INTERVAL
    assert not watch.are_there()
    clock.now += GRACE
    assert watch.are_there()

    strangers.clear()
    assert watch.are_there()
    clock.now += INTERVAL
    assert not watch.are_there()
    assert all(len(members) == 1 for members in asked)  # those of the other group are not passed


def test_processes_that_start_one_after_the_other_are_none(registry, found):
    strangers, _ = found
    clock = Clock()
    watch = StrangerWatch(registry, clock)

    for number in range(10):
        strangers.clear()
        strangers.add(f"socket {number}")
        clock.now += INTERVAL
        assert not watch.are_there()
