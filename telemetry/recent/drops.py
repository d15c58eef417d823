"""Counts what is not remembered, by kind and reason."""

from collections import Counter

from telemetry import semconv

SPAN, LOG, TRACE, POINT = semconv.RECENT_KINDS
FULL, RATE, SIZE, UNFINISHED, UNWRITABLE = semconv.RECENT_DROP_REASONS


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
