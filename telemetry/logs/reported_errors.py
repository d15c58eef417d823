"""Marks exceptions that were logged, so that one exception is not reported by several log statements."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from telemetry.logs.exception_chain import related

_REPORTED: Final = "_telemetry_reported"
_REPORTED_AT: Final = "_telemetry_told_at"


def mark_reported(error: BaseException) -> None:
    """Mark an exception as logged completely: see `ReportedErrorFilter`."""
    vars(error)[_REPORTED] = True


class ReportedErrorFilter(logging.Filter):
    """For the logger of a server, which logs every exception that reaches it: drops those that are marked."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return error is None or not any(_REPORTED in vars(each) for each in related(error))


_SAME_PROPAGATION_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """What logged an exception, and where the exception was then.

    Attributes:
        statement: file and line.
        at: by the monotonic clock.
        caught_by: identity of the traceback's entry for the frame that caught the exception.
    """

    statement: tuple[str, int]
    message: str
    level: int
    at: float
    caught_by: int

    def covers(self, later: "_Mark", error: BaseException) -> bool:
        """Whether the later statement says the same again: the exception has propagated to it, or it has the same message.

        An exception that is kept and raised again is raised in a frame that had caught it. That is no propagation.
        """
        if later.level > self.level or later.at - self.at > _SAME_PROPAGATION_SECONDS:
            return False
        if self.statement == later.statement:
            return False
        return self.message == later.message or self._has_propagated(error)

    def _has_propagated(self, error: BaseException) -> bool:
        frames, entry = [], error.__traceback__
        while entry is not None and id(entry) != self.caught_by:
            frames.append(entry.tb_frame)
            entry = entry.tb_next
        return entry is not None and bool(frames) and entry.tb_frame not in frames


def mark_reported_at(error: BaseException, record: logging.LogRecord) -> bool:
    """Mark an exception as logged by this record. False if another one has told of it: see `_Mark.covers`.

    The mark names the statement because one exception object may be raised and logged again and again.
    """
    mark = _Mark(
        (record.pathname, record.lineno), record.getMessage(), record.levelno, time.monotonic(), id(error.__traceback__)
    )
    with suppress(Exception):  # an exception with slots, one that allows no attributes, or whose own raise
        earlier: Any = vars(error).get(_REPORTED_AT)
        if isinstance(earlier, _Mark) and earlier.covers(mark, error):
            return False
        setattr(error, _REPORTED_AT, mark)
    return True
