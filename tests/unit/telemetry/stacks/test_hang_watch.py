"""The thread that looks for what hangs: one for a process, as long as there is something to look at."""

import gc
import os
import threading
import time

from telemetry.stacks.hang_watch import HangWatch

SOON = 30.0


class FakeWatcher:
    def __init__(self, wait=SOON, error=None):
        self.looks, self.wait, self.error = threading.Semaphore(0), wait, error

    def look(self):
        self.looks.release()
        if self.error is not None:
            raise self.error
        return self.wait


def until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_watcher_looks_at_once_and_again_when_it_wants_to():
    watch, watcher = HangWatch(), FakeWatcher(wait=0.1)

    watch.add(watcher)

    assert all(watcher.looks.acquire(timeout=SOON) for _ in range(3))
    watch.remove(watcher)


def test_a_watcher_that_is_added_again_looks_sooner():
    watch, watcher = HangWatch(), FakeWatcher()
    watch.add(watcher)
    assert watcher.looks.acquire(timeout=SOON)

    watch.add(watcher)

    assert watcher.looks.acquire(timeout=SOON / 2)
    watch.remove(watcher)


def test_a_watcher_that_fails_keeps_no_other_from_looking():
    watch, broken, healthy = HangWatch(), FakeWatcher(error=ValueError("odd")), FakeWatcher(wait=0.1)

    watch.add(broken)
    watch.add(healthy)

    assert all(healthy.looks.acquire(timeout=SOON) for _ in range(3))
    watch.remove(broken)
    watch.remove(healthy)


def test_the_thread_ends_without_watchers_and_starts_with_the_next():
    watch, watcher = HangWatch(), FakeWatcher()
    watch.add(watcher)
    thread = watch._thread

    watch.remove(watcher)
    thread.join(SOON)
    assert not thread.is_alive()
    watch.add(watcher)

    assert all(watcher.looks.acquire(timeout=SOON) for _ in range(2))
    watch.remove(watcher)


def test_a_watcher_is_not_kept_alive():
    watch, watcher = HangWatch(), FakeWatcher(wait=0.05)
    watch.add(watcher)

    del watcher

    until(lambda: gc.collect() >= 0 and watch._thread is None)


def test_a_forked_child_watches_what_it_adds():
    watch, watcher = HangWatch(), FakeWatcher()
    watch.add(watcher)
    assert watcher.looks.acquire(timeout=SOON)

    if not (child := os.fork()):
        watch.add(watcher)
        os._exit(0 if watcher.looks.acquire(timeout=SOON) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    watch.remove(watcher)
