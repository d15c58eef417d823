"""The state of a channel after a failure: paused with a growing backoff, or disabled and probed every few minutes."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from telemetry import semconv
from telemetry.alerts.channels.channel import MAX_UNREADABLE_RESPONSES, PROBE_INTERVAL, ChannelError, UnreadableResponse
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.clock_set_back import MAX_PAUSE_SECONDS

_MAX_BACKOFF: Final = 60.0
_ALERTS: Final = {semconv.COMPONENT: "alerts"}
_log = logging.getLogger(__name__)


class ChannelFailures:
    """Counts unreadable responses, and logs once that a channel is disabled, until it accepts a message."""

    def __init__(self, clock: Callable[[], float], random: Random) -> None:
        self._clock = clock
        self._random = random
        self._unreadable: Counter[str] = Counter()
        self._logged: set[str] = set()

    def accepted(self, state: ChannelState) -> ChannelState:
        self._unreadable.pop(state.name, None)
        self._logged.discard(state.name)
        return replace(state, failures=0, paused_until=0.0, last_error=None)

    def failed(self, state: ChannelState, error: ChannelError) -> ChannelState:
        """Disabled, or paused for as long as the channel asks, or with a growing backoff."""
        state = replace(state, failures=state.failures + 1, last_error=str(error))
        self._unreadable[state.name] += isinstance(error, UnreadableResponse)
        if error.permanent or error.message_rejected or self._unreadable[state.name] >= MAX_UNREADABLE_RESPONSES:
            return self._disabled(state, error)
        if state.failures == 1 and error.retry_after is None:
            _log.warning("Alerts wait: %s.", error, extra=_ALERTS)
        return replace(state, paused_until=self._clock() + self._pause(state.failures, error))

    def probe_failed(self, state: ChannelState, error: ChannelError) -> ChannelState:
        """Disabled for another while."""
        pause = max(PROBE_INTERVAL, min(error.retry_after or 0.0, MAX_PAUSE_SECONDS))
        return replace(state, paused_until=self._clock() + pause, last_error=str(error), failures=state.failures + 1)

    def _disabled(self, state: ChannelState, error: ChannelError) -> ChannelState:
        if state.name not in self._logged:
            self._logged.add(state.name)
            _log.warning(
                "Alerts can't be sent: %s. They are kept. %s is tried again every %.0f minutes.",
                error,
                state.name,
                PROBE_INTERVAL / 60,
                extra=_ALERTS,
            )
        return state.disabled(str(error), self._clock() + PROBE_INTERVAL)

    def _pause(self, failures: int, error: ChannelError) -> float:
        if error.retry_after is not None:
            return min(error.retry_after, MAX_PAUSE_SECONDS)
        return min(_MAX_BACKOFF, 2.0 ** min(failures, 10)) * self._random.uniform(0.5, 1.0)
