"""The queue of reviews that need a draft: columns of the table `reviews`, with leases."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from service.advice.outcomes import DRAFTED, HELD, Draft
from service.advice.prompt import ReviewForPrompt
from service.database.clock import CLOCK_TOLERANCE
from service.database.tables import DUE, AdviceRow, ReviewRow
from telemetry.database import UTCDateTime

LEASE_DURATION: Final = timedelta(minutes=10)
MAX_ATTEMPTS: Final = 5
_FIRST_DELAY: Final = timedelta(minutes=15)
_DONE: Final = frozenset({DRAFTED, HELD})
"""Another draft of a review whose draft is held would cost as much, and most likely be held as well."""


@dataclass(frozen=True, slots=True)
class LeasedReview:
    """A review that no other worker drafts for until the lease expires. `attempt` counts from 1."""

    review_id: int
    subject: ReviewForPrompt
    attempt: int


class AdviceQueue:
    def __init__(self, session: Session) -> None:
        self._session = session

    def lease(self, now: datetime) -> LeasedReview | None:
        """Lease the newest review that is due. After a crash of the worker it is due again when the lease expires.

        Returns:
            None if no review is due.
        """
        due = DUE & _is_due(now)
        newest = select(ReviewRow.id).where(due).order_by(ReviewRow.created_at.desc(), ReviewRow.id.desc()).limit(1)
        leased = (
            update(ReviewRow)
            .where(ReviewRow.id == newest.scalar_subquery(), due)
            .values(advice_due_at=now + LEASE_DURATION, advice_attempts=ReviewRow.advice_attempts + 1)
            .returning(ReviewRow)
        )
        row = self._session.scalars(leased, execution_options={"synchronize_session": False}).one_or_none()
        return LeasedReview(row.id, review_for_prompt(row), row.advice_attempts) if row is not None else None

    def complete(self, leased: LeasedReview, draft: Draft, now: datetime) -> None:
        """Store the draft. A review without a draft is due again later, up to `MAX_ATTEMPTS` attempts."""
        self.add_draft(leased.review_id, draft, now)
        if draft.outcome not in _DONE:
            self.postpone(leased, now)

    def add_draft(self, review_id: int, draft: Draft, now: datetime) -> AdviceRow:
        """Store a draft, with or without a lease. A review with a draft is no longer due, also if a check holds it."""
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
            failed_checks=list(draft.failed_checks) or None,
        )
        self._session.add(row)
        self._session.flush()
        if draft.outcome in _DONE:
            self._update_due(ReviewRow.id == review_id, advice_due_at=None)
        return row

    def release(self, leased: LeasedReview, now: datetime) -> None:
        """End the lease: the review is due now, and the attempt does not count. For errors that any review would cause."""
        self._update_due(_holds_lease(leased), advice_due_at=now, advice_attempts=leased.attempt - 1)

    def postpone(self, leased: LeasedReview, now: datetime) -> None:
        """End the lease: the review is due later, with a growing delay; never again after `MAX_ATTEMPTS` attempts."""
        delay = _FIRST_DELAY * 2 ** (leased.attempt - 1)
        self._update_due(_holds_lease(leased), advice_due_at=now + delay if leased.attempt < MAX_ATTEMPTS else None)

    def count_waiting(self) -> int:
        return self._session.scalar(select(func.count()).select_from(ReviewRow).where(DUE)) or 0

    def _update_due(self, condition: ColumnElement[bool], **values: Any) -> None:
        """Update a review that is still due: one that was answered meanwhile needs no draft."""
        self._session.execute(update(ReviewRow).where(condition, DUE).values(**values))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A review that waits longer than its attempts allow was postponed before the clock was set back: it is due now."""
    latest = case(
        *(
            (ReviewRow.advice_attempts == attempts, literal(now + wait, UTCDateTime))
            for attempts, wait in _longest_waits()
        ),
        else_=literal(now + CLOCK_TOLERANCE + LEASE_DURATION, UTCDateTime),
    )
    return or_(ReviewRow.advice_due_at <= now, ReviewRow.advice_due_at > latest)


def _longest_waits() -> list[tuple[int, timedelta]]:
    """By the number of attempts. Before the first one, a review is due at once."""
    after = [(attempt, _FIRST_DELAY * 2 ** (attempt - 1)) for attempt in range(1, MAX_ATTEMPTS)]
    return [(0, CLOCK_TOLERANCE), *((attempt, CLOCK_TOLERANCE + delay) for attempt, delay in after)]


def _holds_lease(leased: LeasedReview) -> ColumnElement[bool]:
    """The review was not leased again since: a worker whose lease has expired must not change it."""
    return and_(ReviewRow.id == leased.review_id, ReviewRow.advice_attempts == leased.attempt)


def review_for_prompt(row: ReviewRow) -> ReviewForPrompt:
    return ReviewForPrompt(
        marketplace=row.marketplace,
        rating=row.rating,
        text=row.text,
        pros=row.pros,
        cons=row.cons,
        product_name=row.product_name,
    )
