"""Prometheus and the Collector are killed at random, for a minute and a half. `make soak-stores` does it for an hour."""

from pathlib import Path

import pytest

from tests.soak.stores.run import run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def test_both_ways_tell_the_truth_while_prometheus_and_the_collector_are_killed(
    tmp_path: Path, otelcol: Path, deployed_prometheus: Path, capsys: pytest.CaptureFixture[str]
):
    table = run(1.5, tmp_path, seed=19)

    with capsys.disabled():
        print(f"\n{table}")  # noqa: T201  # to read
    assert table.holds, f"\n{table}"
