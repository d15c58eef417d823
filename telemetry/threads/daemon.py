"""Starts daemon threads where that is possible: not while the interpreter ends, and not beyond the system's limit."""

import sys
import threading
from collections.abc import Callable

from telemetry.costs.account import uncharged


def start_daemon(run: Callable[[], object], name: str) -> threading.Thread | None:
    """Start a daemon thread. Returns None if none can be started now; the caller does the work itself, or later."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    return thread if is_started(thread) else None


def is_started(thread: threading.Thread) -> bool:
    """Start a thread if that is possible.

    While the interpreter ends, `Thread.start` raises from Python 3.12 on. Later still, and in Python 3.11, it never returns.
    """
    if sys.is_finalizing():
        return False
    try:
        uncharged(thread.start)
    except RuntimeError:
        return False
    return True
