import gc

import pytest

from telemetry.metrics.full_collections import FullCollections
from telemetry.metrics.page import MetricsPage


@pytest.fixture(autouse=True)
def _threshold():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.fixture
def collections():
    return FullCollections()


def test_full_collections_are_postponed_inside_and_as_before_outside(collections):
    with collections.postponed():
        inside = gc.get_threshold()

    assert inside[:2] == (700, 10)
    assert inside[2] > 1000
    assert gc.get_threshold() == (700, 10, 10)


def test_what_raises_inside_restores_the_threshold(collections):
    with pytest.raises(RuntimeError), collections.postponed():
        raise RuntimeError

    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_several_that_overlap_restores_the_threshold(collections):
    one, other = collections.postponed(), collections.postponed()
    one.__enter__()
    other.__enter__()

    one.__exit__(None, None, None)
    still = gc.get_threshold()
    other.__exit__(None, None, None)

    assert still[2] > 1000
    assert gc.get_threshold() == (700, 10, 10)


def test_a_threshold_that_the_application_sets_meanwhile_stays(collections):
    with collections.postponed():
        gc.set_threshold(500, 5, 5)

    assert gc.get_threshold() == (500, 5, 5)


def test_a_child_that_was_forked_meanwhile_collects_as_before(collections):
    with collections.postponed():
        collections.restart_in_child()
        inside = gc.get_threshold()

    assert inside == gc.get_threshold() == (700, 10, 10)


def test_a_page_is_made_without_full_collections():
    seen = []

    def collect():
        seen.append(gc.get_threshold()[2])
        return []

    MetricsPage(collect).render()

    assert seen[0] > 1000
    assert gc.get_threshold() == (700, 10, 10)
