"""Nimble: long work in a thread, during which the other threads of the process get their turns soon.

A thread that wants to go on waits until the one that runs gives way, which by default is 5 ms later, each time anew: a request
that reads, computes and writes while a page is made would take several of them longer.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_TURN: Final = 0.0005
_lock = threading.Lock()
_usual: list[float] = []


@contextmanager
def nimble() -> Generator[None]:
    with _lock:
        _usual.append(sys.getswitchinterval())
        _set_turn(min(_TURN, _usual[0]))
    try:
        yield
    finally:
        with _lock:
            usual = _usual[0]
            _usual.pop()
            if not _usual:
                _set_turn(usual)


def _set_turn(seconds: float) -> None:
    """To the nearest microsecond: the system cuts, so that a turn which is put back would be shorter each time."""
    sys.setswitchinterval(seconds + 5e-7)
