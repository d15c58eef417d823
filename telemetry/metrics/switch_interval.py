"""Shortens the interpreter's switch interval during long work in a thread, so that other threads run soon.

A thread waits up to the switch interval, 5 ms by default, each time it needs the GIL. A request that reads, computes and
writes during a scrape would wait several times.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SWITCH_SECONDS: Final = 0.0005
_lock = threading.RLock()
_original: list[float] = []


@contextmanager
def short_switch_interval() -> Generator[None]:
    """Shorten the process's switch interval; the last of several concurrent users restores it."""
    with _lock:
        _original.append(sys.getswitchinterval())
        _set_interval(min(_SWITCH_SECONDS, _original[0]))
    try:
        yield
    finally:
        with _lock:
            original = _original[0]
            _original.pop()
            if not _original:
                _set_interval(original)


def _set_interval(seconds: float) -> None:
    """Set it to the nearest microsecond: the system rounds down, so a restored interval would shrink each time."""
    sys.setswitchinterval(seconds + 5e-7)
