"""Formats durations and timestamps for people."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def format_duration(seconds: float) -> str:
    """Format a duration by its two largest units: `3d 4h`, `1h 0m`, `5m 2s`, `12s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts or size == 1:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def format_length(seconds: float) -> str:
    """Format a duration in a sentence, by its two largest units: `3 d 4 h`, `1 h 10 min`, `5 min`, `12 s`."""
    left = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for unit, size in (*_UNITS[:2], ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"


def format_clock(timestamp: float, now: float) -> str:
    """Format the time of day in UTC, such as `14:02`, with the date if that is not the one of `now`."""
    moment = _datetime(timestamp)
    return f"{moment:%H:%M}" if moment.date() == _datetime(now).date() else f"{moment:%Y-%m-%d %H:%M}"


def format_timestamp(timestamp: float) -> str:
    """Format Unix seconds as `2025-10-02 12:00:00 UTC`."""
    return f"{_datetime(timestamp):%Y-%m-%d %H:%M:%S} UTC"


def _datetime(timestamp: float) -> datetime:
    return datetime.fromtimestamp(min(max(timestamp, 0.0), 4e9), UTC)
