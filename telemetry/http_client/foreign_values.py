"""Checks values that external services send, before they are kept or waited for."""

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER: Final = "retry-after"
MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds to wait at most, whatever a service asks for."""
_MAX_INTEGER: Final = 2**63 - 1
_MAX_TEXT_LENGTH: Final = 64  # a date has 29


def integer64(value: object, minimum: int = -(2**63)) -> int | None:
    """The value if it is an integer that a database column holds, and at least `minimum`; else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if minimum <= value <= _MAX_INTEGER else None


def retry_after(value: object) -> float | None:
    """The seconds that a service asks to wait, `MAX_RETRY_AFTER` at most; None if the value is not readable.

    Args:
        value: a number, or the text of a number or of an HTTP date. Infinity, NaN and negative numbers are not readable.
    """
    if isinstance(value, str):
        value = _number_or_date(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < float("inf"):
        return None
    return float(min(value, MAX_RETRY_AFTER))


def retry_after_seconds(headers: Mapping[str, str], *names: str) -> float | None:
    """`retry_after` of the first of these headers that is readable; None without one. Only Retry-After may be a date."""
    found = (
        retry_after(value if name.lower() == RETRY_AFTER else _number(value))
        for name in names
        if (value := headers.get(name)) is not None
    )
    return next((seconds for seconds in found if seconds is not None), None)


def _number_or_date(text: str) -> float | None:
    if len(text) > _MAX_TEXT_LENGTH:
        return None
    number = _number(text)
    return _seconds_until(text) if number is None else number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(date: str) -> float | None:
    try:
        at = parsedate_to_datetime(date)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return max(0.0, at.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
