"""Wildberries' time: Moscow's, which has had no summer time since 2014, and is written without an offset."""

from datetime import datetime, timedelta, timezone
from typing import Final

MOSCOW: Final = timezone(timedelta(hours=3), "Europe/Moscow")
NEVER: Final = "0001-"
"""How the date begins that stands for "not yet": `0001-01-01T00:00:00`."""


def moscow_text(moment: datetime) -> str:
    """As the statistics API takes it: `2026-11-21T18:40:07`, with a fraction where there is one."""
    return moment.astimezone(MOSCOW).replace(tzinfo=None).isoformat()
