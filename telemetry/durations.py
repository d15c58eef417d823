"""Durations and moments as people read them."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def format_duration(seconds: float) -> str:
    """The two largest units: `3d 4h`, `1h 0m`, `5m 2s`, `12s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts or size == 1:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def format_timestamp(at: float) -> str:
    """Of Unix time, such as 2025-10-02 12:00:00 UTC."""
    return f"{_datetime(at):%Y-%m-%d %H:%M:%S} UTC"


def _datetime(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), 4e9), UTC)
