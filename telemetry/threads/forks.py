"""What a fork means for threads that write: they pause before it, go on in the parent, and start afresh in the child."""

import os
from typing import Final, Protocol
from weakref import WeakSet

PAUSE_TIMEOUT: Final = 0.2


class Forkable(Protocol):
    def pause(self, timeout: float) -> None: ...
    def resume(self) -> None: ...
    def restart_in_child(self) -> None: ...


_protected: Final["WeakSet[Forkable]"] = WeakSet()


def protect(forkable: Forkable) -> None:
    """Pause it for each fork, as long as it exists."""
    _protected.add(forkable)


def _pause_all() -> None:
    for each in tuple(_protected):
        each.pause(PAUSE_TIMEOUT)


def _resume_all() -> None:
    for each in tuple(_protected):
        each.resume()


def _restart_all() -> None:
    for each in tuple(_protected):
        each.restart_in_child()


os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_restart_all)
