import threading

from telemetry.periodic import PeriodicTask
from tests.support.forking import in_child
from tests.support.processes import eventually


class Step:
    """Counts how often it was done, and fails while `error` is set."""

    def __init__(self):
        self.times, self.error = 0, None
        self.done = threading.Semaphore(0)

    def __call__(self):
        self.times += 1
        self.done.release()
        if self.error:
            raise self.error


def task_of(step, should_continue=lambda: True):
    return PeriodicTask(step, 0.001, "Watching the schedule", should_continue)


def test_a_step_is_done_again_and_again_until_it_is_stopped():
    step = Step()
    task = task_of(step)

    task.start()
    for _ in range(3):
        assert step.done.acquire(timeout=30)
    task.stop(30)

    assert not task._thread.is_alive()
    assert task.is_stopping


def test_repeated_failures_are_one_warning_and_so_is_the_next_success(caplog):
    step = Step()
    task = task_of(step)

    for error in (None, ConnectionResetError(104, "gone"), ConnectionResetError(104, "gone"), None, None):
        step.error = error
        task.run_once()

    assert caplog.messages == [
        "Watching the schedule fails now (Connection reset by peer).",
        "Watching the schedule works again.",
    ]


def test_the_loop_outlives_a_step_that_fails():
    step = Step()
    step.error = ValueError("no")
    task = task_of(step)

    task.start()
    for _ in range(3):
        assert step.done.acquire(timeout=30)
    task.stop(30)


def test_a_task_that_should_not_continue_runs_no_step():
    step = Step()
    task = task_of(step, lambda: False)

    task.start()
    task._thread.join(30)

    assert step.times == 0


def test_a_task_that_was_never_started_can_be_stopped():
    task_of(Step()).stop()


def test_a_forked_child_runs_the_task_once_it_has_started_it_itself():
    rounds = []
    task = PeriodicTask(lambda: rounds.append(1), 0.01, "Counting")
    task.start()
    task.start()  # is harmless
    eventually(lambda: rounds)

    def child():
        before = task.is_stopping, len(rounds)
        rounds.clear()
        task.start()
        eventually(lambda: len(rounds) > 1)
        task.stop()
        return before[0]

    task.stop()
    assert in_child(child) is False
    assert task.is_stopping
