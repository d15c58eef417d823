"""What a fork means for each part of the telemetry. No other module asks the operating system about forks."""

import os
from collections.abc import Callable
from itertools import count
from typing import Final
from weakref import WeakValueDictionary

from telemetry.failsafe import failsafe

PAUSE_TIMEOUT: Final = 0.2
"""Seconds for which a fork waits for one part."""


class ForkAware:
    """A part that a fork affects. Each method does nothing by default."""

    def pause(self, timeout: float) -> None:
        """Leave nothing half done, if that is possible within `timeout` seconds."""

    def resume(self) -> None:
        """Go on in the parent."""

    def restart_in_child(self) -> None:
        """Start afresh. The threads are the parent's; its locks may be held for ever, and must not be waited for."""


_parts: Final["WeakValueDictionary[int, ForkAware]"] = WeakValueDictionary()
_numbers: Final = count()
_generation = 0


def generation() -> int:
    """A number that any fork changes: as long as it stays the same, no child has been made."""
    return _generation


def current_process() -> int:
    """The process that this code runs in. A child has another one than what it took along from its parent."""
    return os.getpid()


def register(part: ForkAware) -> None:
    """Call the part at each fork, as long as it exists: after those that registered before it, which it may use."""
    _parts[next(_numbers)] = part


def _call_each(step: Callable[[ForkAware], None]) -> Callable[[], None]:
    def run() -> None:
        global _generation  # noqa: PLW0603  # forks are the process's, as this module's parts are
        _generation += 1
        for part in [found for reference in _parts.valuerefs() if (found := reference()) is not None]:
            failsafe(step)(part)

    return run


os.register_at_fork(
    before=_call_each(lambda part: part.pause(PAUSE_TIMEOUT)),
    after_in_parent=_call_each(lambda part: part.resume()),
    after_in_child=_call_each(lambda part: part.restart_in_child()),
)
