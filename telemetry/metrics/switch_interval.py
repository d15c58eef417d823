"""Nimble: long work in a thread, during which the other threads of the process get their turns soon.

A thread that wants to go on waits until the one that runs gives way, which by default is 5 ms later, each time anew: a request
that reads, computes and writes while a page is made would take several of them longer.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SWITCH_SECONDS: Final = 0.0005
_lock = threading.Lock()
_original: list[float] = []


@contextmanager
def short_switch_interval() -> Generator[None]:
    with _lock:
        _original.append(sys.getswitchinterval())
        _set_interval(min(_SWITCH_SECONDS, _original[0]))
    try:
        yield
    finally:
        with _lock:
            usual = _original[0]
            _original.pop()
            if not _original:
                _set_interval(usual)


def _set_interval(seconds: float) -> None:
    """To the nearest microsecond: the system cuts, so that a turn which is put back would be shorter each time."""
    sys.setswitchinterval(seconds + 5e-7)
