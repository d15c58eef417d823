"""Writes the first of identical log lines, and counts the repeats in one line afterwards. Errors are always written."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from telemetry import semconv
from telemetry.logs.background.record_copy import size_of

WINDOW_SECONDS: Final = 10.0
"""Seconds from the first line in which identical ones are counted."""
MAX_KNOWN_LINES: Final = 1000
MAX_KNOWN_CHARACTERS: Final = 4 * 2**20
"""Number of different lines that are counted at once, and of their characters; further ones are all written."""
Key: TypeAlias = tuple[str, int, str]


@dataclass(slots=True)
class _KnownLine:
    first: logging.LogRecord
    size: int
    expires_at: float
    repeats: int = 0


class RepeatFilter:
    """Used by one thread, that of a `LogWriter`, and therefore without a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: dict[Key, _KnownLine] = {}
        self._characters = 0
        self._next_expiry = float("inf")

    def admit(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """The records to write now: the counts of lines whose window has ended, and this record if it is no repeat."""
        now = self._clock()
        counts = self._pop_counts(now) if now >= self._next_expiry else []
        return [*counts, record] if self._is_first(record, now) else counts

    def flush(self) -> list[logging.LogRecord]:
        """All counts, because no line comes afterwards."""
        return self._pop_counts(float("inf"))

    def _is_first(self, record: logging.LogRecord, now: float) -> bool:
        """Remember the line, or count it as a repeat."""
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record) or record.exc_info:
            return True
        key = (record.name, record.levelno, record.getMessage())
        if known := self._lines.get(key):
            known.repeats += 1
            return False
        size = size_of(record)
        if len(self._lines) < MAX_KNOWN_LINES and self._characters + size <= MAX_KNOWN_CHARACTERS:
            self._lines[key] = _KnownLine(record, size, now + WINDOW_SECONDS)
            self._characters += size
            self._next_expiry = min(self._next_expiry, now + WINDOW_SECONDS)
        return True

    def _pop_counts(self, now: float) -> list[logging.LogRecord]:
        """Forget the lines whose window has ended. Returns the counts of those that were repeated."""
        keys = [key for key, line in self._lines.items() if line.expires_at <= now]
        expired = [self._lines.pop(key) for key in keys]
        self._characters -= sum(line.size for line in expired)
        self._next_expiry = min((line.expires_at for line in self._lines.values()), default=float("inf"))
        return [_count_record(line) for line in expired if line.repeats]


def _count_record(line: _KnownLine) -> logging.LogRecord:
    record = logging.makeLogRecord(vars(line.first))
    times = "once" if line.repeats == 1 else f"{line.repeats:,} times"
    record.msg, record.args = f"{line.first.getMessage()} ({times} more within {WINDOW_SECONDS:.0f} s)", ()
    record.created = time.time()
    record.msecs = record.created % 1 * 1000
    return record
