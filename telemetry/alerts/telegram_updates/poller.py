"""Reads updates by long polling, in one process at a time.

Of one machine, the process with the lease in the outbox reads. Of several machines, the one with the `shared` lease, where the
service has given one. Without that, Telegram lets only one read: to the other it says 409, and that one stands by.

Each update is confirmed before it is handled, so that none is handled twice, not even after `kill -9` or by another machine. One
that was confirmed by a process that was then killed is lost: the person gets no answer, and sends it again.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.telegram_updates.bot_client import PollingConflict
from telemetry.alerts.telegram_updates.update import Update, read_update, update_id
from telemetry.processes import forks

LEASE_SECONDS: Final = 60.0
"""Longer than a poll, and the handling of its updates."""
LEASE_NAME: Final = "telegram updates"
STANDBY_SECONDS: Final = 5.0
"""Seconds until a process asks again whether another one of its machine still reads."""
CONFLICT_SECONDS: Final = 60.0
"""The same for other machines."""
_FIRST_RETRY: Final = 1.0
_MAX_RETRY: Final = 60.0
_DISABLED_RETRY: Final = 300.0
_log = logging.getLogger(__name__)


class Updates(Protocol):
    """The part of the bot's client that reads."""

    def updates(self, offset: int | None) -> Sequence[object]: ...
    def confirm(self, update_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class PollingLease:
    """`acquire` acquires or renews it, and says whether this process has it. `release` gives it back."""

    acquire: Callable[[], bool]
    release: Callable[[], None]


class UpdatePoller(forks.ForkAware):
    """`step` is called again and again, in a thread of its own. `is_stopping`: the process ends, so nothing more is handled.

    Attributes:
        is_waiting: a poll is open, and no update is being handled.
    """

    def __init__(
        self,
        client: Updates,
        handle: Callable[[Update], None],
        leases: Callable[[], Sequence[PollingLease]],
        is_stopping: Callable[[], bool],
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._handle = handle
        self._leases = leases
        self._is_stopping = is_stopping
        self._on_begin = on_begin
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._offset: int | None = None
        self._next_at, self._failures = 0.0, 0
        self._has_begun = self._stands_by = self.is_waiting = False

    def step(self) -> None:
        """Poll once, if it is time to.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        if time.monotonic() < self._next_at:
            return
        if not all(lease.acquire() for lease in self._leases()):
            self._has_begun, self._offset = False, None
            self._wait(STANDBY_SECONDS)
            return
        try:
            self._poll()
        except PollingConflict as conflict:
            self._stand_by(conflict)
        except ChannelError as error:
            self._fail(error)

    def _poll(self) -> None:
        if not self._has_begun:
            self._on_begin()
            self._has_begun = True
        self.is_waiting = True
        try:
            found = self._client.updates(self._offset)
        finally:
            self.is_waiting = False
        if self._stands_by or self._failures:
            _log.info("This process reads the updates of the Telegram bot again.")
        self._stands_by, self._failures = False, 0
        for raw in found:
            self._confirm_and_handle(raw)

    def _confirm_and_handle(self, raw: object) -> None:
        number = update_id(raw)
        if number is None or (self._offset is not None and number < self._offset) or self._is_stopping():
            return
        self._client.confirm(number)
        self._offset = number + 1
        if (update := read_update(raw)) is not None:
            self._handle(update)

    def _stand_by(self, conflict: PollingConflict) -> None:
        """Leave the bot to the other process, and try again from time to time. Logged once."""
        if not self._stands_by and conflict.is_webhook:
            _log.warning(
                "The Telegram bot has a webhook, so that its buttons and commands cannot be read here. Delete the webhook "
                "(deleteWebhook), give this service a bot of its own, or set TELEGRAM_COMMANDS=false."
            )
        elif not self._stands_by:
            _log.warning(
                "Another process reads the updates of this Telegram bot, such as that of another machine. This one stands by."
            )
        self._stands_by, self._offset = True, None
        self._wait(CONFLICT_SECONDS)

    def _fail(self, error: ChannelError) -> None:
        """Wait for longer after each failure. The first one is logged."""
        if not self._failures:
            _log.warning("The updates of the Telegram bot cannot be read now: %s", error)
        self._failures += 1
        self._wait(_pause(error, self._failures))

    def _wait(self, seconds: float) -> None:
        """With jitter, so that several processes do not ask at once."""
        self._next_at = time.monotonic() + seconds * random.uniform(0.8, 1.2)  # no secret


def _pause(error: ChannelError, failures: int) -> float:
    if error.retry_after is not None:
        return min(error.retry_after, _DISABLED_RETRY)
    if error.permanent:
        return _DISABLED_RETRY
    return min(_FIRST_RETRY * 2.0 ** min(failures - 1, 10), _MAX_RETRY)
