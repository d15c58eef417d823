"""The worker's thread ends when it is told to, and no step is left behind."""

import threading
from queue import SimpleQueue

import pytest

from telemetry.threads.worker_thread import WorkerThread

SOON = 20.0


class QueueThatIsFilledLate(SimpleQueue):
    """A step comes just after the thread has found its queue empty. `others` is how often it finds it empty before that."""

    def __init__(self, put, others):
        super().__init__()
        self.put_late, self.others = put, others

    def empty(self):
        is_empty = super().empty()
        if is_empty and threading.current_thread() is not threading.main_thread():
            self.others -= 1
            if self.others == -1:
                caller = threading.Thread(target=self.put_late)
                caller.start()
                caller.join(SOON)
        return is_empty


@pytest.mark.parametrize("others", range(3))
def test_a_step_that_comes_while_the_thread_ends_is_run(others):
    worker = WorkerThread("test")
    ran = threading.Event()
    worker._queue = QueueThatIsFilledLate(lambda: worker.put(ran.set), others)

    worker.put(worker.end)

    assert ran.wait(SOON)


def test_each_step_is_run_though_the_thread_ends_after_each():
    worker = WorkerThread("test")
    ran = []

    for number in range(300):
        assert worker.put(worker.end).wait(SOON)
        assert worker.put(lambda number=number: ran.append(number)).wait(SOON)

    assert ran == [*range(300)]
