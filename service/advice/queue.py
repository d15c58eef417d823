"""The queue of reviews for which an answer is to be drafted: columns of `reviews`, leased to whoever drafts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from service.advice.outcomes import DRAFTED, Draft
from service.advice.prompt import ReviewForPrompt
from service.database.tables import DUE, AdviceRow, ReviewRow

LEASE: Final = timedelta(minutes=10)
ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class LeasedReview:
    """A review that nobody else drafts for until the lease ends. `attempt` counts from 1."""

    review_id: int
    subject: ReviewForPrompt
    attempt: int


class AdviceQueue:
    def __init__(self, session: Session) -> None:
        self._session = session

    def lease(self, now: datetime) -> LeasedReview | None:
        """Lease the newest review that is due; a drafter that dies gives it back when the lease ends."""
        due = DUE & (ReviewRow.advice_due_at <= now)
        newest = select(ReviewRow.id).where(due).order_by(ReviewRow.created_at.desc(), ReviewRow.id.desc()).limit(1)
        leased = (
            update(ReviewRow)
            .where(ReviewRow.id == newest.scalar_subquery(), due)
            .values(advice_due_at=now + LEASE, advice_attempts=ReviewRow.advice_attempts + 1)
            .returning(ReviewRow)
        )
        row = self._session.scalars(leased, execution_options={"synchronize_session": False}).one_or_none()
        return LeasedReview(row.id, subject_of(row), row.advice_attempts) if row is not None else None

    def settle(self, leased: LeasedReview, draft: Draft, now: datetime) -> None:
        """Keep what came of it. What may come out better another time is due again, later each time, five times in all."""
        self.keep(leased.review_id, draft, now)
        if draft.outcome != DRAFTED:
            self.postpone(leased, now)

    def keep(self, review_id: int, draft: Draft, now: datetime) -> AdviceRow:
        """Whoever asked for it: what has a draft is not due any more."""
        row = AdviceRow(
            review_id=review_id,
            created_at=now,
            outcome=draft.outcome,
            text=draft.text,
            model=draft.model[:100],
            input_tokens=draft.input_tokens,
            output_tokens=draft.output_tokens,
            cost_usd=draft.cost_usd,
            reason=draft.reason,
        )
        self._session.add(row)
        self._session.flush()
        if draft.outcome == DRAFTED:
            self._due(ReviewRow.id == review_id, advice_due_at=None)
        return row

    def give_back(self, leased: LeasedReview, now: datetime) -> None:
        """Nothing was drafted, and that was not the review's fault."""
        self._due(_still(leased), advice_due_at=now, advice_attempts=leased.attempt - 1)

    def postpone(self, leased: LeasedReview, now: datetime) -> None:
        pause = _FIRST_PAUSE * 2 ** (leased.attempt - 1)
        self._due(_still(leased), advice_due_at=now + pause if leased.attempt < ATTEMPTS else None)

    def waiting(self) -> int:
        return self._session.scalar(select(func.count()).select_from(ReviewRow).where(DUE)) or 0

    def _due(self, which: ColumnElement[bool], **values: Any) -> None:
        """Unless it was answered meanwhile: then there is nothing to draft any more."""
        self._session.execute(update(ReviewRow).where(which, DUE).values(**values))


def _still(leased: LeasedReview) -> ColumnElement[bool]:
    """That nobody has leased it since: one whose lease was over says nothing of the next one's."""
    return and_(ReviewRow.id == leased.review_id, ReviewRow.advice_attempts == leased.attempt)


def subject_of(row: ReviewRow) -> ReviewForPrompt:
    return ReviewForPrompt(
        marketplace=row.marketplace,
        rating=row.rating,
        text=row.text,
        pros=row.pros,
        cons=row.cons,
        product_name=row.product_name,
    )
