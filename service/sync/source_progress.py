"""What one source of a sync brought: its rows, and those that could not be stored, with the reasons."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from service.database.upsert import Saved
from service.integrations.http.errors import CallError
from service.sync.reasons import add_reason, commonest

MAX_INVALID_SHARE: Final = 0.05
MIN_INVALID_ROWS: Final = 5


class TooManyInvalidRows(CallError):
    """The source answers, but a large share of its rows cannot be stored. Those that can be are stored."""


class StuckPosition(CallError):
    """The source has more, and its position has not moved for days."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"the position has not moved since {since:%Y-%m-%d %H:%M} UTC, though there is more to read.")


@dataclass(slots=True)
class SourceProgress:
    """The committed results of one source."""

    pages: int = 0
    rows: int = 0
    new: int = 0
    _reasons: Counter[str] = field(default_factory=Counter)

    def add(self, saved: Saved, reasons: Iterable[str]) -> None:
        """Add the rows of one transaction; `reasons` are those of the rows that were not stored."""
        self.rows += saved.new + saved.changed + saved.unchanged
        self.new += saved.new
        for reason in reasons:
            self.rows += 1
            add_reason(self._reasons, reason)

    @property
    def not_stored(self) -> int:
        return self._reasons.total()

    @property
    def none_stored(self) -> bool:
        """Whether there were rows, and none of them could be stored."""
        return 0 < self.not_stored == self.rows

    def invalid_share(self) -> TooManyInvalidRows | None:
        """The failure of the source if more than 5 % of its rows, and at least five, could not be stored."""
        if self.not_stored < MIN_INVALID_ROWS or self.not_stored <= MAX_INVALID_SHARE * self.rows:
            return None
        return TooManyInvalidRows(
            f"{self.not_stored} of {self.rows} rows could not be stored: {commonest(self._reasons)}."
        )
