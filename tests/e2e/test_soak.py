"""The soak, for three minutes: every fault once or twice. `make soak` does it for twenty, in which leaks show as well."""

from pathlib import Path

import pytest

from tests.soak.run import soak

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_everything_holds_while_one_fault_follows_the_other(tmp_path: Path):
    table = soak(3, tmp_path)

    failed = "\n".join(f"{figure.line()}" for figure in table.figures if figure.holds is False)
    assert not failed, f"\n{table}"
