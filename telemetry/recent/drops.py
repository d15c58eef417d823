"""Counts what is not remembered, by kind and reason."""

from collections import Counter
from typing import Final

SPAN: Final = "span"
LOG: Final = "log"
TRACE: Final = "trace"
POINT: Final = "point"
FULL: Final = "full"
"""A queue was full."""
RATE: Final = "rate"
"""More came in a second than is encoded."""
SIZE: Final = "size"
"""The trace had more spans or lines than are kept of one."""
UNFINISHED: Final = "unfinished"
"""The trace did not end while there was room to wait for it."""
UNWRITABLE: Final = "unwritable"
"""The file could not be written."""


class Drops:
    """Takes no lock: an instrument would, and what counts here may interrupt anything."""

    def __init__(self) -> None:
        self._numbers: Counter[tuple[str, str]] = Counter()

    def count(self, kind: str, reason: str, number: int = 1) -> None:
        if number:
            self._numbers[kind, reason] += number

    def numbers(self) -> dict[tuple[str, str], int]:
        """How many were dropped, by kind and reason."""
        return dict(self._numbers)

    def clear(self) -> None:
        """In a forked child: what was dropped is the parent's."""
        self._numbers = Counter()
