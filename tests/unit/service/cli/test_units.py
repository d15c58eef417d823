from datetime import timedelta

import pytest

from service.cli.units import format_age, format_size
from tests.support.fakes import NOON


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (0, "0 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3 * 3600 + 1, "3 h ago"),
        (86_399, "23 h ago"),
        (86_400, "1 d ago"),
        (400 * 86_400, "400 d ago"),
        (-1, "in 1 s"),
        (-7200, "in 2 h"),
    ],
)
def test_an_age_is_one_number_of_its_largest_unit(seconds, age):
    assert format_age(NOON, NOON + timedelta(seconds=seconds)) == age


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (12_400_000, "12.4 MB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (999_999_999, "1.0 GB"),
        (5 * 10**12, "5.0 TB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_a_size_is_readable_at_every_magnitude(size, text):
    assert format_size(size) == text
