"""Marks exceptions that were logged, so that one exception is not reported by several log statements."""

import logging
from contextlib import suppress
from typing import Any, Final

from telemetry.logs.exception_chain import causes, related

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


def mark_reported_at(error: BaseException, statement: tuple[str, int]) -> bool:
    """Mark an exception as logged by this statement (file and line). False if it was marked by another statement.

    The mark names the statement because one exception object may be raised and logged again and again.
    """
    for each in causes(error):
        reported_at: Any = getattr(each, _REPORTED_AT, None)
        if reported_at is not None:
            return bool(reported_at == statement)
    with suppress(Exception):  # an exception with slots, or one that allows no attributes
        setattr(error, _REPORTED_AT, statement)
    return True
