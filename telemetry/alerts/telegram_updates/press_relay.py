"""Hands presses to the machine that has sent the alert: of several machines, another one may read the bot's updates."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from telemetry.alerts.telegram_updates.update import PressUpdate

LOOK_SECONDS: Final = 1.0
GIVE_UP_SECONDS: Final = 10.0
"""Seconds after which no machine knows the alert of a press."""


@dataclass(frozen=True, slots=True)
class RelayedPress:
    """`age` is in seconds."""

    id: int
    update: PressUpdate
    age: float


class PressRelay(Protocol):
    """What the machines share. While it is unavailable, `put` returns False, and nothing waits."""

    def put(self, update: PressUpdate) -> bool: ...
    def waiting(self) -> Sequence[RelayedPress]: ...
    def take(self, press_id: int) -> bool:
        """Returns whether this process is the one that takes it."""
        ...


class RelayReader:
    """`is_known` says whether the alert of a press is this machine's. `give_up` answers one of no machine's."""

    def __init__(
        self,
        relay: PressRelay,
        is_known: Callable[[PressUpdate], bool],
        handle: Callable[[PressUpdate], None],
        give_up: Callable[[PressUpdate], None],
    ) -> None:
        self._relay = relay
        self._is_known = is_known
        self._handle = handle
        self._give_up = give_up
        self._next_at = 0.0

    def step(self) -> None:
        """Handle the presses of this machine's alerts, if it is time to look."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + LOOK_SECONDS
        for press in self._relay.waiting():
            if press.age > GIVE_UP_SECONDS:
                self._finish(press, self._give_up)
            elif self._is_known(press.update):
                self._finish(press, self._handle)

    def _finish(self, press: RelayedPress, how: Callable[[PressUpdate], None]) -> None:
        if self._relay.take(press.id):
            how(press.update)
