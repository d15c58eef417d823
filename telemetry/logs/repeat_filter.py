"""Writes the first of identical log lines, and counts the repeats in one line afterwards. Errors are always written."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from telemetry import semconv

WINDOW_SECONDS: Final = 10.0
"""Seconds from the first line in which identical ones are counted."""
MAX_KNOWN_LINES: Final = 1000
"""Number of different lines that are counted at once; further ones are all written."""
_DECISION: Final = "_telemetry_is_written"
Key: TypeAlias = tuple[str, int, str]


@dataclass(slots=True)
class _KnownLine:
    first: logging.LogRecord
    expires_at: float
    repeats: int = 0


class RepeatFilter(logging.Filter):
    """Shared by all handlers of a process that write lines: its decision about a record holds for all of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lines: dict[Key, _KnownLine] = {}
        self._lock = threading.RLock()
        self._next_expiry = float("inf")

    def filter(self, record: logging.LogRecord) -> bool:
        decision: bool | None = vars(record).get(_DECISION)
        if decision is None:
            decision = vars(record)[_DECISION] = self._decide(record)
        return decision

    def _decide(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now >= self._next_expiry:
            self._log_repeats(self._pop_expired(now))
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record) or record.exc_info:
            return True
        try:
            key = (record.name, record.levelno, record.getMessage())
        except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything; the handler reports it
            return True
        with self._lock:
            return self._add(key, record, now)

    def _add(self, key: Key, record: logging.LogRecord, now: float) -> bool:
        """Remember the line, or count it as a repeat. Returns whether it is to be written."""
        if known := self._lines.get(key):
            known.repeats += 1
            return False
        if len(self._lines) < MAX_KNOWN_LINES:
            self._lines[key] = _KnownLine(record, now + WINDOW_SECONDS)
            self._next_expiry = min(self._next_expiry, now + WINDOW_SECONDS)
        return True

    def _pop_expired(self, now: float) -> list[_KnownLine]:
        """Forget the lines whose window has ended. Returns those that were repeated."""
        with self._lock:
            keys = [key for key, line in list(self._lines.items()) if line.expires_at <= now]
            expired = [line for key in keys if (line := self._lines.pop(key, None))]
            self._next_expiry = min((line.expires_at for line in list(self._lines.values())), default=float("inf"))
        return [line for line in expired if line.repeats]

    def flush(self) -> None:
        """Log all counts now, because no line comes afterwards."""
        self._log_repeats(self._pop_expired(float("inf")))

    def _log_repeats(self, lines: list[_KnownLine]) -> None:
        for line in lines:
            record = logging.makeLogRecord(vars(line.first))
            times = "once" if line.repeats == 1 else f"{line.repeats:,} times"
            record.msg, record.args = f"{line.first.getMessage()} ({times} more within {WINDOW_SECONDS:.0f} s)", ()
            record.created = time.time()
            record.msecs = record.created % 1 * 1000
            vars(record)[_DECISION] = True
            logging.getLogger(record.name).handle(record)
