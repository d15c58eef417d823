"""Parses how long OpenAI asks to wait, from Retry-After and the rate limit headers."""

import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from service.integrations.http.client import retry_after_seconds

_MAX_SECONDS: Final = 86_400.0  # limits are by the minute and by the day
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_KINDS: Final = ("requests", "tokens")


def retry_after(headers: Mapping[str, str], kind: str | None) -> float | None:
    """The seconds to wait, a day at most; None if no header says it.

    Args:
        headers: the headers of the response.
        kind: the exceeded limit, `requests` or `tokens`. The longer wait counts if it is unknown.
    """
    return next((min(seconds, _MAX_SECONDS) for seconds in _candidates(headers, kind) if seconds is not None), None)


def _candidates(headers: Mapping[str, str], kind: str | None) -> Iterator[float | None]:
    milliseconds = retry_after_seconds(headers, "retry-after-ms")
    yield None if milliseconds is None else milliseconds / 1000
    yield retry_after_seconds(headers, "retry-after")
    yield _seconds_until(headers.get("retry-after", ""))
    kinds = (kind,) if kind in _KINDS else _KINDS
    resets = [_seconds(headers.get(f"x-ratelimit-reset-{each}", "")) for each in kinds]
    yield max((seconds for seconds in resets if seconds is not None), default=None)


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _seconds(duration: str) -> float | None:
    """The seconds of a duration such as `1s`, `6m0s` or `120ms`."""
    if not _DURATION.fullmatch(duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
