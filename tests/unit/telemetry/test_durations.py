import pytest

from telemetry import durations


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0s"),
        (12.9, "12s"),
        (60, "1m 0s"),
        (302, "5m 2s"),
        (3600, "1h 0m"),
        (86_400, "1d 0h"),
        (3 * 86_400 + 4 * 3600 + 59, "3d 4h"),
        (400 * 86_400, "400d 0h"),
    ],
)
def test_a_duration_for_people_has_the_two_largest_units(seconds, words):
    assert durations.format_duration(seconds) == words
