"""ChangeFlag: whether anything was measured since the last test."""

import pytest

from telemetry.metrics.measuring.change_flag import ChangeFlag


def test_a_test_clears_the_flag():
    flag = ChangeFlag()
    assert not flag.test_and_clear()

    flag.is_set = True

    assert flag.test_and_clear()
    assert not flag.test_and_clear()


@pytest.mark.parametrize(
    ("create", "measure"),
    [
        ("create_counter", "add"),
        ("create_up_down_counter", "add"),
        ("create_histogram", "record"),
        ("create_gauge", "set"),
    ],
)
def test_every_measurement_of_every_instrument_sets_the_flag(stage, create, measure):
    instrument = getattr(stage.meter, create)("some.thing")
    assert not stage.meters.change_flag.test_and_clear()

    for _ in range(2):  # the second one is recorded directly
        getattr(instrument, measure)(1, {"a": "b"})

        assert stage.meters.change_flag.test_and_clear()


def test_a_scrape_does_not_set_the_flag(stage):
    stage.meter.create_observable_gauge("some.thing", [lambda _options: []])

    stage.text()

    assert not stage.meters.change_flag.test_and_clear()
