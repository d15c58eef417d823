"""Containers that are stopped, killed and started again: nothing is lost."""

import os
import signal

import pytest

from tests.stack.conftest import KILLED, LONG, Stack, host_pid
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
    """The new processes may have the pids of the killed ones: each container counts from 1."""
    eventually(lambda: settled.is_marked("sovani", 2), LONG)
    before, runs = settled.project.container("sovani")["RestartCount"], settled.finished_runs()
    reported, [counted, of_scheduler] = kills_known(settled)

    os.kill(host_pid(settled, "sovani"), signal.SIGKILL)

    eventually(lambda: settled.project.container("sovani")["RestartCount"] > before, LONG)
    eventually(settled.is_ready, LONG)
    eventually(lambda: settled.lost_none_of(runs), LONG)
    [message] = eventually(lambda: settled.messages(KILLED)[len(reported) :], LONG)
    assert "its 2 processes ended without an orderly stop. The service runs again." in message
    assert f"Host: {settled.project.container('sovani')['Config']['Hostname']}" in message
    eventually(lambda: settled.is_marked("sovani", 2), LONG)
    assert kills_known(settled) == ([*reported, message], [counted + 1, of_scheduler])


def test_a_service_that_is_restarted_in_order_is_not_reported_as_killed(settled: Stack):
    eventually(lambda: all_are_marked(settled), LONG)
    reported = kills_known(settled)

    settled.project.compose("restart", "sovani", "scheduler")

    eventually(settled.all_well, LONG)
    eventually(lambda: all_are_marked(settled), LONG)
    assert kills_known(settled) == reported


def all_are_marked(stack: Stack) -> bool:
    return stack.is_marked("sovani", 2) and stack.is_marked("scheduler", 1)


def kills_known(stack: Stack) -> tuple[list[str], list[int]]:
    """The messages, and how many kills each service has counted: a repeat sends no message."""
    count = (
        "import sqlite3; rows = sqlite3.connect('file:/var/lib/sovani/alerts/outbox.db?mode=ro', uri=True)"
        ".execute('SELECT coalesce(sum(count), 0) FROM incidents WHERE words LIKE ?', ('The service was killed%',)); print(*rows.fetchone())"
    )
    counts = [
        stack.project.compose("exec", "--no-TTY", name, "python", "-c", count) for name in ("sovani", "scheduler")
    ]
    return stack.messages(KILLED), [int(each) for each in counts]


def test_down_and_up_keep_the_history_and_are_not_reported_as_a_kill(settled: Stack):
    before, (_, counted) = settled.finished_runs(), kills_known(settled)
    assert before

    settled.project.down()
    settled.project.up()

    eventually(lambda: settled.lost_none_of(before), LONG)
    eventually(lambda: all_are_marked(settled), LONG)
    assert kills_known(settled) == ([], counted)  # the phone is a new one
