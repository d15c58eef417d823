"""What came of the drafts of one run: their number by outcome, their cost, and the reasons of those without a text."""

from collections import Counter
from collections.abc import MutableMapping
from decimal import Decimal
from typing import Any, Final

from service.advice.outcomes import DRAFTED, REFUSED, Draft
from service.names import HELD
from service.sync.reasons import add_reason, commonest

MIN_REFUSED: Final = 5
"""So many reviews are not refused by their own fault, if no other is drafted for."""


class NothingDrafted(Exception):  # not an error of a call: each call was answered
    """There were reviews to draft for, and nothing came of any."""


class DraftTally:
    """Keeps the progress of the run up to date."""

    def __init__(self, progress: MutableMapping[str, Any]) -> None:
        self._progress = progress
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._cost = Decimal(0)
        self._without_price = 0

    @property
    def number(self) -> int:
        return self._outcomes.total()

    def add(self, draft: Draft) -> None:
        self._outcomes[draft.outcome] += 1
        self._cost += draft.cost_usd or 0
        self._without_price += draft.cost_usd is None
        if draft.outcome != DRAFTED:
            add_reason(self._reasons, f"{draft.outcome} ({draft.reason})" if draft.reason else draft.outcome)
        without_price = {"without_price": self._without_price} if self._without_price else {}
        self._progress.update(self._outcomes, cost_usd=float(self._cost), **without_price)

    def check(self) -> None:
        """Raises:
        NothingDrafted: no draft has a text, and there is one. A few that OpenAI refuses, or that a check holds, are those
            reviews' own fault.
        """
        failed = self.number - self._outcomes[REFUSED] - self._outcomes[HELD]
        if not self._outcomes[DRAFTED] and (failed or self.number >= MIN_REFUSED):
            raise NothingDrafted(f"nothing came of {self.number} drafts: {commonest(self._reasons)}.")
