import threading
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    """A call that does not return before the test has ended; by then its thread is gone."""
    released = threading.Event()

    def never() -> None:
        assert released.wait(30)

    before = set(threading.enumerate())
    yield never
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
