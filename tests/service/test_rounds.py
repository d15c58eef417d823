import threading
from datetime import UTC, datetime, timedelta

from service.rounds import Rounds

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)


class Step:
    """Says when it was done, and fails as long as it is told to."""

    def __init__(self):
        self.moments, self.error = [], None
        self.done = threading.Semaphore(0)

    def __call__(self, now):
        self.moments.append(now)
        self.done.release()
        if self.error:
            raise self.error


def rounds(step, may_go_on=lambda: True):
    return Rounds(step, lambda: NOON, timedelta(milliseconds=1), may_go_on)


def test_a_step_is_done_again_and_again_by_the_clock_that_is_given_until_it_is_stopped():
    step = Step()
    running = rounds(step)

    running.start()
    for _ in range(3):
        assert step.done.acquire(timeout=30)
    running.stop(30)

    assert not running._thread.is_alive()
    assert set(step.moments) == {NOON}


def test_a_step_that_fails_again_and_again_is_said_once_and_so_is_its_return(caplog):
    step = Step()
    running = rounds(step)

    for error in (None, ConnectionResetError(104, "gone"), ConnectionResetError(104, "gone"), None, None):
        step.error = error
        running.go()

    assert caplog.messages == [
        "The schedule cannot be watched now (Connection reset by peer).",
        "The schedule is watched again.",
    ]


def test_the_loop_outlives_a_step_that_fails():
    step = Step()
    step.error = ValueError("no")
    running = rounds(step)

    running.start()
    for _ in range(3):
        assert step.done.acquire(timeout=30)
    running.stop(30)


def test_a_process_that_is_told_to_stop_begins_no_round():
    step = Step()
    running = rounds(step, lambda: False)

    running.start()
    running._thread.join(30)

    assert step.moments == []


def test_what_was_never_started_is_stopped_all_the_same():
    rounds(Step()).stop()
