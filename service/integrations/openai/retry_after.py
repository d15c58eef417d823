"""Parses how long OpenAI asks to wait, from Retry-After and the rate limit headers."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from telemetry.http_client.foreign_values import MAX_RETRY_AFTER, retry_after_seconds
from telemetry.http_client.foreign_values import retry_after as checked_seconds

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
    return next((min(seconds, MAX_RETRY_AFTER) for seconds in _candidates(headers, kind) if seconds is not None), None)


def _candidates(headers: Mapping[str, str], kind: str | None) -> Iterator[float | None]:
    yield _milliseconds(headers.get("retry-after-ms", ""))
    yield retry_after_seconds(headers, "retry-after")
    kinds = (kind,) if kind in _KINDS else _KINDS
    resets = [_seconds(headers.get(f"x-ratelimit-reset-{each}", "")) for each in kinds]
    yield max((seconds for seconds in resets if seconds is not None), default=None)


def _milliseconds(text: str) -> float | None:
    try:
        return checked_seconds(float(text) / 1000)
    except ValueError:
        return None


def _seconds(duration: str) -> float | None:
    """The seconds of a duration such as `1s`, `6m0s` or `120ms`."""
    if not _DURATION.fullmatch(duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
