"""The rate limit of a channel: seconds between two messages, and messages a minute. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
_RESERVED: Final = 3
"""Messages of each minute that alerts leave for digests; edits leave as many again for alerts."""


@dataclass(frozen=True, slots=True)
class ChannelRateLimit:
    """`interval` is the seconds between two messages."""

    interval: float
    per_minute: int


@dataclass(frozen=True, slots=True)
class RecentSends:
    """The last minute: when messages were sent, oldest first, and how many different alerts they told of."""

    sends: Sequence[float] = ()
    alerts: int = 0


def delay(recent: RecentSends, limit: ChannelRateLimit, now: float, *, reserve: int = 0) -> float:
    """Seconds until the next message may be sent, so that `reserve` messages of the minute stay free."""
    sends = [at for at in recent.sends if at > now - MINUTE]
    gap = sends[-1] + limit.interval - now if sends else 0.0
    allowed = max(1, limit.per_minute - reserve)
    full = sends[-allowed] + MINUTE - now if len(sends) >= allowed else 0.0
    return max(0.0, gap, full)


def delay_of_alert(recent: RecentSends, limit: ChannelRateLimit, now: float) -> float:
    return delay(recent, limit, now, reserve=_RESERVED)


def delay_of_edit(recent: RecentSends, limit: ChannelRateLimit, now: float) -> float:
    return delay(recent, limit, now, reserve=2 * _RESERVED)
