"""Drafts answers to the reviews in the queue, one after the other, newest first."""

import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.engine import Engine

from service.advice.draft_tally import DraftTally
from service.advice.outcomes import DRAFTED, Draft, refusal
from service.advice.prompt import ReviewForPrompt
from service.advice.queue import AdviceQueue, LeasedReview
from service.integrations.http.errors import CallError, Forbidden, Misconfigured, RateLimited, Rejected, Unauthorized
from service.integrations.openai.errors import QuotaExhausted
from service.scheduler.job import Skipped
from service.shutdown import ShutdownRequested
from telemetry.database import transaction

MAX_DRAFTS: Final = 200
MAX_SECONDS: Final = 240.0
MAX_REFUSED_IN_A_ROW: Final = 3
"""Calls that are refused for one review after the other are no longer the reviews' own fault."""
ANSWER_LENGTH: Final = 800
"""Characters. An answer is a few sentences; every marketplace allows longer ones."""


class AnswerDrafter(Protocol):
    """Drafts one answer; `Drafter` does."""

    @property
    def model(self) -> str: ...

    def draft(self, subject: ReviewForPrompt, answer_length: int) -> Draft: ...


class DraftingRun:
    """One run of the job: drafts until the queue is empty or a limit is reached."""

    def __init__(
        self,
        engine: Engine,
        drafter: AnswerDrafter,
        now: Callable[[], datetime],
        is_running: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_running = is_running
        self._engine = engine
        self._drafter = drafter
        self._now = now
        self._refusals: list[Rejected] = []  # of the reviews since the last call that was answered

    def run(self, progress: MutableMapping[str, Any], budget: float = MAX_SECONDS) -> Mapping[str, Any]:
        """Draft until no review is due, the budget is used up, or `MAX_DRAFTS` drafts are done.

        Args:
            progress: is updated after each draft: the number of drafts by outcome, `cost_usd`, and how many drafts it does
                not contain, if any (`without_price`).
            budget: seconds.

        Returns:
            The progress, and under `waiting` the reviews that are left; `Skipped` if they could only wait.

        Raises:
            NothingDrafted: there were reviews to draft for, and nothing came of any.
            QuotaExhausted: the account has no money left; the reviews stay due.
            CallError: OpenAI is not available, and the reviews stay due; or it has refused several calls in a row.
            ShutdownRequested: the service stops.
        """
        tally = DraftTally(progress)
        deadline = time.monotonic() + budget
        while tally.number < MAX_DRAFTS and time.monotonic() < deadline:
            if not self._is_running():
                raise ShutdownRequested("the service stops between two drafts")
            try:
                draft = self.draft_next()
            except RateLimited as error:
                progress["paused_until"] = error.until.isoformat()
                break
            if draft is None:
                break
            tally.add(draft)
            if len(self._refusals) == MAX_REFUSED_IN_A_ROW:
                raise self._refusals[-1]
        tally.check()
        done = {DRAFTED: 0, **progress, "waiting": self._count_waiting()}
        return done if tally.number or not done["waiting"] else Skipped(done)

    def draft_next(self) -> Draft | None:
        """Draft the answer to one review. A call that is refused is a draft with the outcome `refused`.

        Returns:
            None if no review is due.

        Raises:
            CallError: the call failed, as one for another review would have.
        """
        with transaction(self._engine) as session:
            leased = AdviceQueue(session).lease(self._now())
        if leased is None:
            return None
        try:
            draft = self._drafter.draft(leased.subject, ANSWER_LENGTH)
        except Rejected as error:
            return self._refused(leased, error)
        except BaseException as error:
            self._return(leased, review_at_fault=isinstance(error, Exception) and not isinstance(error, CallError))
            raise
        self._refusals.clear()
        self._complete(leased, draft)
        return draft

    def _refused(self, leased: LeasedReview, error: Rejected) -> Draft:
        if isinstance(error, Unauthorized | Forbidden | Misconfigured | QuotaExhausted):  # any review would be refused
            self._return(leased, review_at_fault=False)
            raise error
        draft = refusal(self._drafter.model, error)
        self._complete(leased, draft)
        self._refusals.append(error)
        return draft

    def _complete(self, leased: LeasedReview, draft: Draft) -> None:
        with transaction(self._engine) as session:
            AdviceQueue(session).complete(leased, draft, self._now())

    def _return(self, leased: LeasedReview, *, review_at_fault: bool) -> None:
        with transaction(self._engine) as session:
            queue = AdviceQueue(session)
            (queue.postpone if review_at_fault else queue.release)(leased, self._now())

    def _count_waiting(self) -> int:
        with transaction(self._engine) as session:
            return AdviceQueue(session).count_waiting()
