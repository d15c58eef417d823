"""ChangeFlag: measured or not, since somebody asked last."""

import pytest

from telemetry.metrics.change_flag import ChangeFlag


def test_what_happened_is_said_once():
    activity = ChangeFlag()
    assert not activity.since_last_asked()

    activity.happened = True

    assert activity.since_last_asked()
    assert not activity.since_last_asked()


@pytest.mark.parametrize(
    ("create", "measure"),
    [
        ("create_counter", "add"),
        ("create_up_down_counter", "add"),
        ("create_histogram", "record"),
        ("create_gauge", "set"),
    ],
)
def test_every_measurement_of_every_instrument_is_activity(stage, create, measure):
    instrument = getattr(stage.meter, create)("some.thing")
    assert not stage.meters.activity.since_last_asked()

    for _ in range(2):  # the second one goes the short way
        getattr(instrument, measure)(1, {"a": "b"})

        assert stage.meters.activity.since_last_asked()


def test_a_page_is_no_activity(stage):
    stage.meter.create_observable_gauge("some.thing", [lambda _options: []])

    stage.text()

    assert not stage.meters.activity.since_last_asked()
