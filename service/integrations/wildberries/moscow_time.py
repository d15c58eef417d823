"""The time zone of Wildberries: Moscow, written without an offset. There is no summer time since 2014."""

from datetime import datetime, timedelta, timezone
from typing import Final

MOSCOW: Final = timezone(timedelta(hours=3), "Europe/Moscow")
NEVER: Final = "0001-"
"""The beginning of `0001-01-01T00:00:00`, which stands for "not yet"."""


def format_moscow(timestamp: datetime) -> str:
    """A timestamp as the statistics API takes it: `2026-11-21T18:40:07`, with its fraction if there is one."""
    return timestamp.astimezone(MOSCOW).replace(tzinfo=None).isoformat()
