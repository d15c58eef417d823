"""Ends the reading of a list at what was there when it began. Rows that come meanwhile are for the next reading."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

MAX_NEWER_ROWS: Final = 5000
"""So many newer rows in a row end a reading. A slow clock makes rows look newer than they are: these are read as well."""


class NewerRows:
    """Counts the rows that came after the reading began, in a list that is read from the oldest row to the newest.

    Args:
        began: when the reading began.
        created: when a row was created; None if that cannot be read.
    """

    def __init__(self, began: datetime, created: Callable[[Any], datetime | None]) -> None:
        self._began = began
        self._created = created
        self._count = 0

    def end_after(self, page: Iterable[Any]) -> bool:
        """Whether the reading ends after this page, though the list has more."""
        created = [moment for row in page if (moment := self._created(row)) is not None]
        is_newer = bool(created) and min(created) > self._began
        self._count = self._count + len(created) if is_newer else 0
        return self._count >= MAX_NEWER_ROWS
