"""Deduplicator: takes the reports of one process. The first of a kind is on the disk before its caller goes on; a repeat is counted."""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from telemetry.alerts.alert import Alert
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER, MAX_PENDING, IncidentRepository

_MAX_UNKEPT: Final = 1000
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    first: Alert
    last_at: float
    uncounted: int = 0


class Deduplicator:
    """Safe in threads. `report` raises nothing and waits for the disk at the most for a moment.

    What could not be written stays in memory and is written by `flush`; what is too much for that is dropped, and told to
    `dropped` by number and reason.
    """

    def __init__(
        self,
        reports: IncidentRepository,
        dropped: Callable[[int, str], None] = lambda _number, _reason: None,
    ) -> None:
        self._reports = reports
        self._dropped = dropped
        self._known: dict[str, _Known] = {}
        self._unkept: deque[tuple[Alert, int]] = deque()
        self._lock = threading.Lock()

    @property
    def unkept(self) -> int:
        """Alerts that are only in memory, since the disk did not take them."""
        return len(self._unkept)

    def report(self, alert: Alert) -> None:
        if self.is_repeat(alert.fingerprint, alert.state, alert.at):
            return
        if not alert.state:
            with self._lock:
                if len(self._known) >= MAX_PENDING:
                    self._forget_oldest()
                self._known[alert.fingerprint] = _Known(replace(alert, stack=""), alert.at)
        self._keep(alert, 1)

    def is_repeat(self, fingerprint: str, state: str, at: float) -> bool:
        """Whether it is one, and counted. States are always written: they are rare, and their ends are no repeats."""
        if state:
            return False
        with self._lock:
            known = self._known.get(fingerprint)
            if known is None or at - known.last_at >= EXPIRE_AFTER:
                return False
            known.uncounted += 1
            known.last_at = max(known.last_at, at)
            return True

    def _forget_oldest(self) -> None:
        """Its repeats are counted at the next flush."""
        oldest = self._known.pop(next(iter(self._known)))
        if oldest.uncounted:
            self._unkept.append((replace(oldest.first, at=oldest.last_at), oldest.uncounted))

    def _keep(self, alert: Alert, count: int) -> None:
        try:
            self._reports.add(alert, count)
        except (sqlite3.Error, OSError):
            with self._lock:
                if len(self._unkept) >= _MAX_UNKEPT:
                    self._dropped(count, "full")
                else:
                    self._unkept.append((alert, count))

    def take_unkept(self) -> list[tuple[Alert, int]]:
        with self._lock:
            taken = list(self._unkept)
            self._unkept.clear()
            return taken

    def put_back(self, alerts: list[tuple[Alert, int]]) -> None:
        with self._lock:
            self._unkept.extendleft(reversed(alerts))

    def flush(self) -> None:
        """Write the repeats that were counted since the last time, and what could not be written then.

        Raises:
            sqlite3.Error, OSError: the disk does not take it; nothing is lost by that.
        """
        while self._unkept:
            alert, count = self._unkept[0]
            self._reports.add(alert, count)
            self._unkept.popleft()
        self._count()

    def _count(self) -> None:
        with self._lock:
            taken = {name: (known.uncounted, known.last_at) for name, known in self._known.items() if known.uncounted}
        if not taken:
            return
        over = self._reports.add_repeats(taken)
        with self._lock:
            for name, (number, _last_at) in taken.items():
                if name in self._known:
                    self._known[name].uncounted -= number
        for name in over:
            self._begin_anew(name, *taken[name])

    def _begin_anew(self, fingerprint: str, number: int, last_at: float) -> None:
        """It was over for the outbox when it came again."""
        with self._lock:
            known = self._known.get(fingerprint)
        if known is not None:
            self._keep(replace(known.first, at=last_at), number)
