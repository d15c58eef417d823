"""Deduplicates the alerts of one process: the first of a kind is persisted before its caller continues, repeats are counted."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from telemetry.alerts.alert import Alert, AlertKey
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER, MAX_PENDING, IncidentRepository

_MAX_UNSAVED: Final = 1000
MAX_UNSAVED_CHARACTERS: Final = 16 * 2**20
"""Of the alerts that could not be written. Further ones are shortened."""


@dataclass(slots=True)
class _KnownAlert:
    """The first of a kind without its traceback, and the repeats that the outbox has not counted yet."""

    first: Alert
    last_at: float
    repeats: int = 0


class Deduplicator:
    """Thread-safe. `report` raises nothing, and waits for the disk only for a moment.

    What could not be written stays in memory until `flush` writes it. What exceeds the memory is dropped, and passed to
    `dropped` as a number and a reason.

    The lock is reentrant, and each step under it tolerates that another one runs in the middle of it: the garbage collector
    may run a finalizer there that logs an error.
    """

    def __init__(
        self,
        incidents: IncidentRepository,
        dropped: Callable[[int, str], None] = lambda _number, _reason: None,
    ) -> None:
        self._incidents = incidents
        self._dropped = dropped
        self._known: dict[str, _KnownAlert] = {}
        self._unsaved: deque[tuple[Alert, int]] = deque()
        self._notified: deque[tuple[Alert, str]] = deque(maxlen=_MAX_UNSAVED)
        self._lock = threading.RLock()

    @property
    def unsaved(self) -> int:
        """Number of alerts that are only in memory, because they could not be written."""
        return len(self._unsaved)

    def report(self, alert: Alert) -> None:
        """Persist the first alert of a fingerprint, or count a repeat."""
        if self.count_if_repeat(AlertKey(alert.fingerprint, alert.level, alert.state, alert.at)):
            return
        if not alert.state:
            self._keep_first(alert)
        self._save(alert, 1)

    def _keep_first(self, alert: Alert) -> None:
        with self._lock:
            lower = self._find(alert.fingerprint, 0, alert.at)
            if lower is None and len(self._known) >= MAX_PENDING:
                self._evict_oldest()
            repeats = 0 if lower is None else lower.repeats
            if lower is None and (expired := self._known.get(alert.fingerprint)):
                self._keep_repeats(expired, expired.repeats)
            self._known[alert.fingerprint] = _KnownAlert(replace(alert, stack="").shortened(), alert.at, repeats)

    def is_known(self, fingerprint: str, severity: int, at: float) -> bool:
        """Whether an alert with this fingerprint and severity would be a repeat. Takes no lock."""
        return self._find(fingerprint, severity, at) is not None

    def _find(self, fingerprint: str, severity: int, at: float) -> _KnownAlert | None:
        known = self._known.get(fingerprint)
        if known is None or at - known.last_at >= EXPIRE_AFTER or known.first.level.severity < severity:
            return None
        return known

    def count_if_repeat(self, key: AlertKey) -> bool:
        """Count the alert if it is a repeat. Returns whether it is one. What has a higher level than the first is none.

        Conditions are always written: they are rare, and their ends are no repeats.
        """
        if key.state:
            return False
        with self._lock:
            known = self._find(key.fingerprint, key.level.severity, key.at)
            if known is None:
                return False
            known.repeats += 1
            known.last_at = max(known.last_at, key.at)
            return True

    def _evict_oldest(self) -> None:
        """Its repeats are counted at the next flush."""
        oldest = self._known.pop(next(iter(self._known)), None)
        if oldest is not None:
            self._keep_repeats(oldest, oldest.repeats)

    def _keep_repeats(self, known: _KnownAlert, number: int) -> None:
        """Of an alert that is not known any more."""
        if number:
            self._unsaved.append((replace(known.first, at=known.last_at), number))

    def _save(self, alert: Alert, count: int) -> None:
        try:
            self._incidents.add(alert, count)
        except (sqlite3.Error, OSError):
            with self._lock:
                if len(self._unsaved) >= _MAX_UNSAVED:
                    self._dropped(count, "full")
                else:
                    self._unsaved.append((self._fitting(alert), count))

    def _fitting(self, alert: Alert) -> Alert:
        is_full = alert.size + sum(kept.size for kept, _count in tuple(self._unsaved)) > MAX_UNSAVED_CHARACTERS
        return alert.shortened() if is_full else alert

    def drain_unsaved(self) -> list[tuple[Alert, int]]:
        """Remove and return the alerts that are only in memory, each with its count."""
        with self._lock:
            return [self._unsaved.popleft() for _ in range(len(self._unsaved))]

    def _next_unsaved(self) -> tuple[Alert, int] | None:
        with self._lock:
            return self._unsaved.popleft() if self._unsaved else None

    def restore_unsaved(self, alerts: list[tuple[Alert, int]]) -> None:
        """Put drained alerts back, in front of those that came meanwhile."""
        with self._lock:
            self._unsaved.extendleft(reversed(alerts))

    def keep_notified(self, alerts: list[tuple[Alert, int]], channel: str) -> None:
        """Keep the conditions among drained alerts that were sent without the outbox, so that `flush` writes them as sent."""
        self._notified.extend((alert.shortened(), channel) for alert, _count in alerts if alert.state)

    def flush(self) -> None:
        """Write the alerts that are only in memory, and the repeats since the last flush.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be written. Nothing is lost.
        """
        while self._notified:
            self._incidents.add_notified(*self._notified[0])
            self._notified.popleft()
        while (kept := self._next_unsaved()) is not None:
            try:
                self._incidents.add(*kept)
            except (sqlite3.Error, OSError):
                self.restore_unsaved([kept])
                raise
        self._flush_repeats()

    def _flush_repeats(self) -> None:
        """What is being written is not among the repeats meanwhile, so that two threads never write the same."""
        with self._lock:
            taken = [(name, known, known.repeats) for name, known in list(self._known.items()) if known.repeats]
            for _, known, _ in taken:
                known.repeats = 0
        if not taken:
            return
        repeats = {name: (number, known.last_at) for name, known, number in taken}
        try:
            ended = self._incidents.add_repeats(repeats)
        except (sqlite3.Error, OSError):
            self._return_repeats(taken)
            raise
        for name in ended:
            self._reopen(name, *repeats[name])

    def _return_repeats(self, taken: list[tuple[str, _KnownAlert, int]]) -> None:
        with self._lock:
            for name, known, number in taken:
                if self._known.get(name) is known:
                    known.repeats += number
                else:
                    self._keep_repeats(known, number)

    def _reopen(self, fingerprint: str, number: int, last_at: float) -> None:
        """Begin a new incident: the outbox had ended the old one when the repeats came."""
        with self._lock:
            known = self._known.get(fingerprint)
        if known is not None:
            self._save(replace(known.first, at=last_at), number)
