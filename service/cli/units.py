"""Ages and sizes for people: `3 h ago`, `12.4 MB`."""

from datetime import datetime
from typing import Final

_AGES: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_SIZES: Final = ("kB", "MB", "GB", "TB")
_STEP: Final = 1000


def format_age(moment: datetime, now: datetime) -> str:
    """How long ago that was, in its largest unit. A time after `now` is by another clock, and shown as the future."""
    seconds = int((now - moment).total_seconds())
    unit, size = next((each for each in _AGES if abs(seconds) >= each[1]), _AGES[-1])
    return f"in {-seconds // size} {unit}" if seconds < 0 else f"{seconds // size} {unit} ago"


def format_size(size: int) -> str:
    """In decimal units, as disks are sold: 999 bytes, 1.0 kB, 12.4 MB."""
    if size < _STEP:
        return f"{size} byte{'' if size == 1 else 's'}"
    power = 1
    while round(size / _STEP**power, 1) >= _STEP and power < len(_SIZES):
        power += 1
    return f"{size / _STEP**power:,.1f} {_SIZES[power - 1]}"
