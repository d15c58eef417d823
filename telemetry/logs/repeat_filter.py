"""RepeatFilter: of identical lines in a row the first is written, and the others are counted and told of in one. Errors are all written."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from telemetry import semconv

WINDOW_SECONDS: Final = 10.0
"""Seconds from the first; after them a line is a first one again."""
MAX_KNOWN_LINES: Final = 1000
"""Lines that are told apart at once; those beyond are all written."""
_DECIDED: Final = "_telemetry_is_written"
Key: TypeAlias = tuple[str, int, str]


@dataclass(slots=True)
class _Line:
    first: logging.LogRecord
    until: float
    more: int = 0


class RepeatFilter(logging.Filter):
    """One for all handlers of a process that write lines: what it decides of a record holds for each of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lines: dict[Key, _Line] = {}
        self._lock = threading.Lock()
        self._next_end = float("inf")

    def filter(self, record: logging.LogRecord) -> bool:
        decided: bool | None = vars(record).get(_DECIDED)
        if decided is None:
            decided = vars(record)[_DECIDED] = self._decide(record)
        return decided

    def _decide(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now >= self._next_end:
            self._tell(self._ended(now))
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record) or record.exc_info:
            return True
        try:
            key = (record.name, record.levelno, record.getMessage())
        except Exception:  # noqa: BLE001  # a foreign `__str__` may raise anything; the handler says what is wrong with it
            return True
        with self._lock:
            return self._is_first(key, record, now)

    def _is_first(self, key: Key, record: logging.LogRecord, now: float) -> bool:
        if known := self._lines.get(key):
            known.more += 1
            return False
        if len(self._lines) < MAX_KNOWN_LINES:
            self._lines[key] = _Line(record, now + WINDOW_SECONDS)
            self._next_end = min(self._next_end, now + WINDOW_SECONDS)
        return True

    def _ended(self, now: float) -> list[_Line]:
        with self._lock:
            over = [key for key, line in self._lines.items() if line.until <= now]
            ended = [self._lines.pop(key) for key in over]
            self._next_end = min((line.until for line in self._lines.values()), default=float("inf"))
        return [line for line in ended if line.more]

    def flush(self) -> None:
        """Tell of what has been counted, now: nothing comes after it."""
        self._tell(self._ended(float("inf")))

    def _tell(self, lines: list[_Line]) -> None:
        for line in lines:
            told = logging.makeLogRecord(vars(line.first))
            times = "once" if line.more == 1 else f"{line.more:,} times"
            told.msg, told.args = f"{line.first.getMessage()} ({times} more within {WINDOW_SECONDS:.0f} s)", ()
            told.created = time.time()
            told.msecs = told.created % 1 * 1000
            vars(told)[_DECIDED] = True
            logging.getLogger(told.name).handle(told)
