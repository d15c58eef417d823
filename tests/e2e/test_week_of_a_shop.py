"""A day of a shop by a clock that is moved by hand; `python -m tests.soak.week` lives through a week of a large one."""

from pathlib import Path

import pytest

from tests.soak.week import live

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_each_review_that_needs_a_draft_is_paid_for_once_and_all_is_kept_as_it_is(tmp_path: Path):
    table = live(tmp_path, reviews=300, orders=1_200, days=1)

    assert table.holds, f"\n{table}"
