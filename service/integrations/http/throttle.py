"""Turns: a call waits for its place among all who call for an account, and gives way when it was refused."""

import random
from collections.abc import Callable
from typing import Final

from service.integrations.http.errors import CallError, Paused
from service.integrations.http.rate_limiter import Limit, Pace, moment_in
from service.names import BACKOFF, PACE

_LONGEST_BACKOFF: Final = 30.0
Wait = Callable[[float, str], None]
"""Waits so many seconds, for a reason of a closed set, or raises because the service is stopping."""


class Turns:
    def __init__(self, service: str, pace: Pace, wait: Wait) -> None:
        self._service = service
        self._pace = pace
        self._wait = wait

    def take(self, limit: Limit, patience: float) -> float:
        """Wait for the next place. Returns the seconds that it took.

        Raises:
            Paused: it comes later than the patience lasts, and is not taken.
        """
        turn = self._pace.reserve(limit, max(0.0, patience))
        if not turn.mine:
            raise Paused(self._service, moment_in(turn.wait))
        if turn.wait > 0:
            self._wait(turn.wait, PACE)
        return turn.wait

    def heed(self, limit: Limit, error: CallError) -> None:
        """Whoever calls for this account waits as long as the service has said, also when this call is given up."""
        if error.retry_after is not None:
            self._pace.block(limit, error.retry_after)

    def back_off(self, error: CallError, attempt: int, patience: float) -> float:
        """Where the service has not said how long, wait a little longer each time. Returns the seconds that it took.

        Raises:
            CallError: the error, when the wait is longer than the patience lasts.
        """
        if error.retry_after is not None:
            return 0.0  # the turn is waited for
        seconds = min(_LONGEST_BACKOFF, 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
        if seconds > patience:
            raise error
        self._wait(seconds, BACKOFF)
        return seconds
