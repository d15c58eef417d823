import threading
from itertools import repeat

import pytest
from opentelemetry.metrics import Observation

from telemetry.metrics.measuring import callback_deadline


@pytest.fixture
def hanging():
    """A callback that hangs until the end of the test, or until it is released."""
    released, calls = threading.Event(), []

    def observe(_options):
        calls.append(threading.current_thread())
        assert released.wait(60)
        return [Observation(7)]

    observe.calls, observe.release = calls, released.set
    yield observe
    released.set()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(callback_deadline, "TIMEOUT", 0.05)


def test_a_callback_that_hangs_costs_its_own_values_alone_and_is_counted(stage, hanging, caplog):
    stage.meter.create_observable_gauge("hangs", [hanging])
    stage.meter.create_observable_gauge("lives", [lambda _options: [Observation(1)]])

    pages = [(stage.series("lives"), stage.series("hangs")) for _ in range(3)]

    assert pages == [({(): 1}, {})] * 3
    assert len(hanging.calls) == 1  # it is not asked again
    assert stage.meters.late_callbacks()["hangs"] >= 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_is_asked_again_when_it_has_returned(stage, hanging):
    stage.meter.create_observable_gauge("hangs", [hanging])
    assert stage.series("hangs") == {}

    hanging.release()
    hanging.calls[0].join(30)  # it was given up, and ends

    assert stage.series("hangs") == {(): 7}


def test_a_callback_without_an_end_is_cut(stage, monkeypatch):
    monkeypatch.setattr(callback_deadline, "MAX_OBSERVATIONS", 100)
    stage.meter.create_observable_gauge("endless", [lambda _options: repeat(Observation(1))])

    assert stage.series("endless") == {(): 1}


def test_what_a_callback_raises_is_of_no_consequence_for_others(stage):
    def fail(_options):
        raise ValueError("no")

    stage.meter.create_observable_gauge("fails", [fail, lambda _options: [Observation(2)]])
    stage.meter.create_observable_gauge("lives", [lambda _options: [Observation(1)]])

    assert stage.series("lives") == {(): 1}


def test_one_thread_is_lent_for_callbacks_that_return(stage):
    threads = set()
    for number in range(20):
        stage.meter.create_observable_gauge(
            f"eggs{number}", [lambda _options: threads.add(threading.current_thread()) or []]
        )

    for _ in range(3):
        stage.text()

    assert {thread.name for thread in threads} == {"metrics-callback"}
    assert len(threads) == 1
