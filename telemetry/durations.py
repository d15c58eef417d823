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


def format_timestamp(timestamp: float) -> str:
    """Format Unix seconds as `2025-10-02 12:00:00 UTC`."""
    return f"{_datetime(timestamp):%Y-%m-%d %H:%M:%S} UTC"


def _datetime(timestamp: float) -> datetime:
    return datetime.fromtimestamp(min(max(timestamp, 0.0), 4e9), UTC)
