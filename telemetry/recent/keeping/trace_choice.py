"""Chooses the traces that are kept: all that failed or were slow, each job run, and of the rest a few a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.recent.drops import RATE, TRACE, Drops
from telemetry.recent.keeping.allowance import Allowance
from telemetry.recent.schema import FAILED, JOB, SAMPLE, SLOW

SLOW_SECONDS: Final = 1.0
SLOW_FACTOR: Final = 4.0
"""A trace that takes so many times as long as usual for its name is slow."""
_MIN_SLOW_SECONDS: Final = 0.02
_MIN_SEEN: Final = 20  # before it is known what is usual
_STEP: Final = 1.1
MAX_NAMES: Final = 2000
SAMPLES_A_SECOND: Final = 5
"""In each process; of one name, one."""
SLOW_A_SECOND: Final = 10
SPANS_A_SECOND: Final = 500
SPANS_AT_ONCE: Final = 10_000
"""Spans of traces that are kept for a reason: to encode more would delay the requests."""


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """What is known of a trace when its root has ended.

    Attributes:
        name: tells its kind, too.
        is_other: neither a request nor a run: mostly single queries of background threads. Those are kept only if they failed or were slow.
    """

    name: str
    seconds: float
    failed: bool
    is_job: bool
    spans: int
    is_other: bool = False


@dataclass(slots=True)
class _Name:
    """`usual` follows the median of the durations: each of them moves it by a step."""

    usual: float = 0.0
    seen: int = 0
    sampled_at: float = float("-inf")

    def add(self, seconds: float) -> None:
        if not self.seen:
            self.usual = seconds
        else:
            self.usual *= _STEP if seconds > self.usual else 1 / _STEP
        self.seen += 1

    def is_slow(self, seconds: float) -> bool:
        if seconds >= SLOW_SECONDS:
            return True
        return self.seen >= _MIN_SEEN and seconds >= max(_MIN_SLOW_SECONDS, self.usual * SLOW_FACTOR)


class TraceChoice:
    """For one thread."""

    def __init__(self, drops: Drops, clock: Callable[[], float] = time.monotonic) -> None:
        self._drops = drops
        self._clock = clock
        self._names: dict[str, _Name] = {}
        self._samples = Allowance(SAMPLES_A_SECOND, SAMPLES_A_SECOND, clock)
        self._slow = Allowance(SLOW_A_SECOND, 10 * SLOW_A_SECOND, clock)
        self._spans = Allowance(SPANS_A_SECOND, SPANS_AT_ONCE, clock)

    def choose(self, end: TraceEnd) -> str | None:
        """Why the trace is kept; None if it is not."""
        name = self._name(end.name)
        is_slow = name.is_slow(end.seconds)
        name.add(end.seconds)
        if reason := FAILED if end.failed else JOB if end.is_job else SLOW if is_slow else None:
            return reason if self._is_allowed(reason, end.spans) else None
        return SAMPLE if not end.is_other and self._is_sampled(name) else None

    def _is_allowed(self, reason: str, spans: int) -> bool:
        is_allowed = (reason != SLOW or self._slow.take()) and self._spans.take(spans)
        if not is_allowed:
            self._drops.count(TRACE, RATE)
        return is_allowed

    def _is_sampled(self, name: _Name) -> bool:
        now = self._clock()
        if now - name.sampled_at < 1 or not self._samples.take():
            return False
        name.sampled_at = now
        return True

    def _name(self, name: str) -> _Name:
        if (known := self._names.pop(name, None)) is None:
            known = _Name()
            if len(self._names) >= MAX_NAMES:
                self._names.pop(next(iter(self._names)))
        self._names[name] = known  # the last one now
        return known
