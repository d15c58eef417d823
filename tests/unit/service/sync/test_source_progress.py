"""When the rows of a source that could not be stored are too many, and what is said of them."""

import pytest

from service.database.upsert import Saved
from service.sync.reasons import MAX_REASONS
from service.sync.source_progress import SourceProgress


def progress(rows, *reasons):
    """Of so many rows each of these reasons kept one from being stored."""
    found = SourceProgress()
    found.add(Saved(new=rows - len(reasons)), reasons)
    return found


@pytest.mark.parametrize(
    ("rows", "bad", "fails"),
    [
        (50, 50, True),
        (50, 3, False),  # 6 %, but three rows
        (100, 6, True),
        (100, 5, False),
        (101, 5, False),
        (99, 5, True),
        (5, 5, True),
        (4, 4, False),
        (80_000, 4_000, False),
        (80_000, 4_001, True),
        (0, 0, False),
        (1_000, 0, False),
    ],
)
def test_more_than_five_percent_and_at_least_five_rows_are_too_many(rows, bad, fails):
    assert (progress(rows, *["srid is missing"] * bad).invalid_share() is not None) is fails


def test_the_commonest_reasons_are_named_the_commonest_first():
    reasons = ["rare", *["date is missing."] * 7, *["srid is null"] * 2, *["isCancel is a text"] * 3, "other"]

    error = str(progress(20, *reasons).invalid_share())

    assert error == (
        "14 of 20 rows could not be stored: 7 × date is missing; 3 × isCancel is a text; 2 × srid is null; 2 × others."
    )


def test_reasons_of_any_number_and_length_take_little_room():
    found = progress(5_000, *[f"srid is {number}, but must be {'x' * 1_000}" for number in range(5_000)])

    assert len(str(found.invalid_share())) < 500
    assert len(found._reasons) == MAX_REASONS + 1
    assert found.not_stored == 5_000


@pytest.mark.parametrize(("rows", "bad", "none"), [(3, 3, True), (3, 2, False), (3, 0, False), (0, 0, False)])
def test_it_is_known_whether_no_row_at_all_could_be_stored(rows, bad, none):
    assert progress(rows, *["bad"] * bad).none_stored is none
