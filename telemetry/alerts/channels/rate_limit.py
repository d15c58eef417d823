"""Rate limit of a channel: seconds between two messages, and how many a minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0


_KEPT_FREE: Final = 3
"""Messages of a minute that are left for digests, and as many again that edits leave for whatever is new."""


@dataclass(frozen=True, slots=True)
class ChannelRateLimit:
    """Of a channel: seconds between two messages, and how many a minute."""

    interval: float
    per_minute: int


@dataclass(frozen=True, slots=True)
class RecentSends:
    """`sends` are the moments of the last minute's, `told` how many different alerts they told of."""

    sends: Sequence[float] = ()
    told: int = 0


def wait(lately: RecentSends, pace: ChannelRateLimit, now: float, *, keep: int = 0) -> float:
    """Seconds until the next message may be sent, so that `keep` of a minute's stay free."""
    since = [at for at in lately.sends if at > now - MINUTE]
    gap = since[-1] + pace.interval - now if since else 0.0
    allowed = max(1, pace.per_minute - keep)
    full = since[-allowed] + MINUTE - now if len(since) >= allowed else 0.0
    return max(0.0, gap, full)


def wait_for_alert(lately: RecentSends, pace: ChannelRateLimit, now: float) -> float:
    return wait(lately, pace, now, keep=_KEPT_FREE)


def wait_for_edit(lately: RecentSends, pace: ChannelRateLimit, now: float) -> float:
    return wait(lately, pace, now, keep=2 * _KEPT_FREE)
