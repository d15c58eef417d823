import pytest

from telemetry.alerts.rendering.buttons import keyboard, read_press
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import incident


@pytest.mark.parametrize("number", [1, 2**53])
def test_a_press_is_about_the_alert_of_its_button_and_fits_into_64_bytes(number):
    pressed = incident(id=number, state="job:sync", first_at=NOON + 0.123456)
    data = [button.data for row in keyboard(pressed, runs_jobs=True) for button in row]

    assert [read_press(each).is_about(pressed) for each in data] == [True] * 4
    assert max(len(each.encode()) for each in data) <= 64


def test_alerts_of_two_machines_with_one_number_are_told_apart_within_a_second():
    ours, theirs = incident(first_at=NOON + 0.25), incident(first_at=NOON + 0.251)

    assert not read_press(keyboard(ours, runs_jobs=False)[0][0].data).is_about(theirs)


@pytest.mark.parametrize(
    "data", ["", "ack", "ack:1", "ack:x:1", "ack:1:1:1", "drop:1:1", "ack:٣:1", f"ack:{'9' * 30}:1"]
)
def test_other_data_is_no_press(data):
    assert read_press(data) is None
