"""DraftingRun: an answer for each review that waits for one, one after the other, newest first."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from sqlalchemy.engine import Engine

from service.advice.outcomes import DRAFTED, Draft
from service.advice.prompt import ReviewForPrompt
from service.advice.queue import AdviceQueue, LeasedReview
from service.integrations.http.errors import CallError, Forbidden, Misconfigured, RateLimited, Unauthorized
from service.integrations.openai.errors import QuotaExhausted
from service.shutdown import ShutdownRequested
from telemetry.database import transaction

MAX_DRAFTS: Final = 200
MAX_SECONDS: Final = 240.0
ANSWER_LENGTH: Final = 800
"""Characters that somebody reads: an answer is a few sentences, and every marketplace allows longer ones."""


class Drafts(Protocol):
    def draft(self, subject: ReviewForPrompt, answer_length: int) -> Draft: ...


class DraftingRun:
    """`progress` is told what was done, as it is done."""

    def __init__(
        self,
        engine: Engine,
        drafter: Drafts,
        now: Callable[[], datetime],
        is_running: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_running = is_running
        self._engine = engine
        self._drafter = drafter
        self._now = now

    def run(self, progress: MutableMapping[str, Any], budget: float = MAX_SECONDS) -> Mapping[str, Any]:
        """Draft until nothing is due, or the budget of seconds is used up, or 200 were done.

        Raises:
            QuotaExhausted: there is no money left; what is due stays due.
            CallError: OpenAI does not answer; so it does then.
            ShutdownRequested: the service was told to stop.
        """
        outcomes: Counter[str] = Counter()
        spent, ends = Decimal(0), time.monotonic() + budget
        while sum(outcomes.values()) < MAX_DRAFTS and time.monotonic() < ends:
            if not self._is_running():
                raise ShutdownRequested("the service stops between two drafts")
            try:
                draft = self.step()
            except RateLimited as pause:
                progress["paused_until"] = pause.until.isoformat()
                break
            if draft is None:
                break
            outcomes[draft.outcome] += 1
            spent += draft.cost_usd or 0
            progress.update(outcomes, cost_usd=float(spent))
        return {DRAFTED: 0, **progress, "waiting": self._waiting()}

    def step(self) -> Draft | None:
        """One review. None when nothing is due."""
        with transaction(self._engine) as session:
            leased = AdviceQueue(session).lease(self._now())
        if leased is None:
            return None
        try:
            draft = self._drafter.draft(leased.subject, ANSWER_LENGTH)
        except BaseException as error:
            self._put_back(leased, innocent=_is_innocent(error))
            raise
        with transaction(self._engine) as session:
            AdviceQueue(session).settle(leased, draft, self._now())
        return draft

    def _put_back(self, leased: LeasedReview, *, innocent: bool) -> None:
        with transaction(self._engine) as session:
            queue = AdviceQueue(session)
            (queue.give_back if innocent else queue.postpone)(leased, self._now())

    def _waiting(self) -> int:
        with transaction(self._engine) as session:
            return AdviceQueue(session).waiting()


def _is_innocent(error: BaseException) -> bool:
    """Whether it would have happened with any review: the account, the network, the end of the service."""
    if isinstance(error, CallError):
        return error.retryable or isinstance(error, Unauthorized | Forbidden | Misconfigured | QuotaExhausted)
    return not isinstance(error, Exception)
