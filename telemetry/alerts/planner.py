"""Planner: what to say next, so that a storm is a handful of messages and an old story is one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.posts import Post, Waiting

MINUTE: Final = 60.0
MOST_A_MINUTE: Final = 20
"""Different alerts; more of them become a digest."""
OLD: Final = 3600.0
"""Seconds after which alerts that could not be told are told as one."""
_KEPT_FREE: Final = 3
"""Messages of a minute that are left for digests, and as many again that edits leave for whatever is new."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of a channel: seconds between two messages, and how many a minute."""

    interval: float
    per_minute: int


@dataclass(frozen=True, slots=True)
class Lately:
    """`sends` are the moments of the last minute's, `told` how many different alerts they told of."""

    sends: Sequence[float] = ()
    told: int = 0


def wait(lately: Lately, pace: Pace, now: float, *, keep: int = 0) -> float:
    """Seconds until the next message may be sent, so that `keep` of a minute's stay free."""
    since = [at for at in lately.sends if at > now - MINUTE]
    gap = since[-1] + pace.interval - now if since else 0.0
    allowed = max(1, pace.per_minute - keep)
    full = since[-allowed] + MINUTE - now if len(since) >= allowed else 0.0
    return max(0.0, gap, full)


def wait_for_alert(lately: Lately, pace: Pace, now: float) -> float:
    return wait(lately, pace, now, keep=_KEPT_FREE)


def wait_for_edit(lately: Lately, pace: Pace, now: float) -> float:
    return wait(lately, pace, now, keep=2 * _KEPT_FREE)


def next_post(waiting: Sequence[Waiting], lately: Lately, now: float) -> Post | None:
    """The first of what waits: the old ones as a summary, too many as a digest, else the gravest alone."""
    if not waiting:
        return None
    fresh = [each for each in waiting if each.why == "alert"]
    old = [each.incident for each in fresh if each.incident.first_at < now - OLD]
    if len(old) > 1:
        return Post("summary", old)
    if len(fresh) > 1 and len(fresh) + lately.told > MOST_A_MINUTE:
        return Post("digest", [each.incident for each in fresh])
    first = min(waiting, key=lambda each: (-each.incident.level.gravity, each.incident.first_at))
    return Post(first.why, [first.incident])
