"""Concurrent shutdown within one deadline: a step that hangs does not take the time of the others."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)


def run_concurrently(steps: Mapping[str, Callable[[], object]], deadline: float) -> list[str]:
    """Run each step in a thread of its own, and wait up to `deadline` seconds for all of them.

    Returns:
        The names of the steps that were not done in time; their daemon threads go on.
    """
    threads = {name: threading.Thread(target=_guarded, args=(name, step), daemon=True) for name, step in steps.items()}
    end = time.monotonic() + deadline
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, end - time.monotonic()))
    late = [name for name, thread in threads.items() if thread.is_alive()]
    if late:
        _log.warning("Not flushed within %.1f s: %s.", deadline, ", ".join(late))
    return late


def _guarded(name: str, step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:  # noqa: BLE001  # a failed step must not keep the others from being flushed
        _log.warning("Flushing %s failed.", name, exc_info=True)
