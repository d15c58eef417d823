"""Containers that are stopped, killed and started again: nothing is lost."""

import os
import signal

import pytest

from tests.stack.conftest import LONG, Stack, host_pid
from tests.support.processes import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("how", ["stop", "kill", "restart"])
def test_postgresql_stops_and_nothing_is_lost(settled: Stack, how: str):
    settled.run_a_job()
    before = settled.finished_runs()
    assert before

    settled.project.compose(how, "postgres")
    settled.project.compose("start", "postgres")

    eventually(settled.is_ready, LONG)
    eventually(lambda: settled.lost_none_of(before), LONG)
    settled.run_a_job()


def test_the_api_is_killed_with_its_workers_and_docker_starts_it_again(settled: Stack):
    before, runs = settled.project.container("sovani")["RestartCount"], settled.finished_runs()

    os.kill(host_pid(settled, "sovani"), signal.SIGKILL)

    eventually(lambda: settled.project.container("sovani")["RestartCount"] > before, LONG)
    eventually(settled.is_ready, LONG)
    eventually(lambda: settled.lost_none_of(runs), LONG)


def test_down_and_up_keep_the_history(settled: Stack):
    before = settled.finished_runs()
    assert before

    settled.project.down()
    settled.project.up()

    eventually(lambda: settled.lost_none_of(before), LONG)
