"""Waiting: how long an answer of OpenAI asks to wait, by whichever of its headers says so."""

import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from service.integrations.http.client import retry_after_seconds

_LONGEST: Final = 86_400.0  # limits are by the minute and by the day
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_KINDS: Final = ("requests", "tokens")


def retry_after(headers: Mapping[str, str], kind: str | None) -> float | None:
    """Seconds, a day at most. `kind` is what there was too much of, `requests` or `tokens`; unknown, the longer wait counts."""
    return next((min(seconds, _LONGEST) for seconds in _candidates(headers, kind) if seconds is not None), None)


def _candidates(headers: Mapping[str, str], kind: str | None) -> Iterator[float | None]:
    milliseconds = retry_after_seconds(headers, "retry-after-ms")
    yield None if milliseconds is None else milliseconds / 1000
    yield retry_after_seconds(headers, "retry-after")
    yield _until(headers.get("retry-after", ""))
    kinds = (kind,) if kind in _KINDS else _KINDS
    resets = [_seconds(headers.get(f"x-ratelimit-reset-{each}", "")) for each in kinds]
    yield max((seconds for seconds in resets if seconds is not None), default=None)


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _seconds(duration: str) -> float | None:
    """Of `1s`, `6m0s`, `120ms`."""
    if not _DURATION.fullmatch(duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
