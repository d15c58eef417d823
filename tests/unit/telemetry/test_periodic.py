import threading

from telemetry.periodic import PeriodicTask


class Step:
    """Counts how often it was done, and fails as long as it is told to."""

    def __init__(self):
        self.times, self.error = 0, None
        self.done = threading.Semaphore(0)

    def __call__(self):
        self.times += 1
        self.done.release()
        if self.error:
            raise self.error


def rounds(step, may_go_on=lambda: True):
    return PeriodicTask(step, 0.001, "Watching the schedule", may_go_on)


def test_a_step_is_done_again_and_again_until_it_is_stopped():
    step = Step()
    running = rounds(step)

    running.start()
    for _ in range(3):
        assert step.done.acquire(timeout=30)
    running.stop(30)

    assert not running._thread.is_alive()
    assert running.is_stopping


def test_a_step_that_fails_again_and_again_is_said_once_and_so_is_its_return(caplog):
    step = Step()
    running = rounds(step)

    for error in (None, ConnectionResetError(104, "gone"), ConnectionResetError(104, "gone"), None, None):
        step.error = error
        running.go()

    assert caplog.messages == [
        "Watching the schedule fails now (Connection reset by peer).",
        "Watching the schedule works again.",
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

    assert step.times == 0


def test_what_was_never_started_is_stopped_all_the_same():
    rounds(Step()).stop()
