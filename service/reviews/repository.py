"""Repository of reviews and their drafts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, literal_column, null, or_, select, update
from sqlalchemy.orm import Session

from service.database.keyset import after_row
from service.database.tables import ANSWER_REJECTED, MODERATED, UNANSWERED, AdviceRow, ReviewRow
from service.database.upsert import Saved, by_key, digest, kept_if_unknown, upsert
from service.errors import Problem
from service.integrations.marketplace import IN_MODERATION, NOT_ANSWERED, REJECTED, UNKNOWN_RATING, Review
from service.names import DRAFTED, HELD

_OVERWRITTEN: Final = (
    "created_at", "rating", "text", "pros", "cons", "product_id", "answered", "answer_text", "answer_state", "as_of",
    "digest",
)  # fmt: skip
_NOT_STORED: Final = ("odd", "answer_editable", "processed")


class ReviewNotFound(Problem):
    """404: no review has that id."""

    status = 404

    def __init__(self, review_id: int) -> None:
        super().__init__(f"There is no review {review_id}; /api/v1/reviews lists what there is.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """Selects reviews. None selects all; `since` selects those created then or later."""

    marketplace: str | None = None
    rating: int | None = None
    answered: bool | None = None
    answer_state: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = {
            ReviewRow.marketplace: self.marketplace,
            ReviewRow.rating: self.rating,
            ReviewRow.answered: self.answered,
        }
        conditions = [column == value for column, value in equal.items() if value is not None]
        if self.answer_state is not None:  # the rejected ones are few, and have an index of their own
            state = ReviewRow.answer_state == self.answer_state
            conditions.append(ANSWER_REJECTED if self.answer_state == REJECTED else state)
        return conditions if self.since is None else [*conditions, ReviewRow.created_at >= self.since]


class ReviewRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, rows: Sequence[Review], now: datetime) -> Saved:
        """Insert or update reviews. A stored row that was read later than the given one stays as it is.

        Must be the first statement of its transaction. A review that waits for an answer becomes due for a draft if it is
        new, or has come back without one. One that is processed without an answer waits no longer.
        """
        return upsert(self._session, ReviewRow, [_values(review, now) for review in rows], _changes)

    def get(self, review_id: int) -> ReviewRow:
        """Read one review.

        Raises:
            ReviewNotFound: no review has that id.
        """
        if (row := self._session.get(ReviewRow, review_id)) is None:
            raise ReviewNotFound(review_id)
        return row

    def advice(self, review_id: int) -> AdviceRow | None:
        """The newest usable draft; without one, the newest that a check holds, or the newest failed attempt; or None."""
        drafted = case((AdviceRow.outcome == DRAFTED, 2), (AdviceRow.outcome == HELD, 1), else_=0)
        newest = select(AdviceRow).where(AdviceRow.review_id == review_id).order_by(drafted.desc(), AdviceRow.id.desc())
        return self._session.scalars(newest.limit(1)).one_or_none()

    def page(self, filters: ReviewFilter, *, before: int | None = None, limit: int = 50) -> Sequence[ReviewRow]:
        """One page of reviews, newest first.

        Args:
            filters: selects the reviews.
            before: the id of the last row of the previous page.
            limit: rows of the page.

        Raises:
            UnknownCursor: no row has the id `before`.
        """
        page = select(ReviewRow).where(*filters.conditions())
        if before is not None:
            page = page.where(after_row(self._session, ReviewRow.created_at, ReviewRow.id, before))
        page = page.order_by(ReviewRow.created_at.desc(), ReviewRow.id.desc()).limit(limit)
        return self._session.scalars(page).all()

    def stale_unanswered(self, marketplace: str, since: datetime, limit: int) -> Sequence[str]:
        """Ids of reviews stored as unanswered and last seen before `since`, the longest unseen first."""
        return self._last_seen(UNANSWERED, marketplace, since, limit)

    def in_moderation(self, marketplace: str, since: datetime, limit: int) -> Sequence[str]:
        """Ids of reviews whose answer the marketplace moderates, last seen before `since`, the longest unseen first."""
        return self._last_seen(MODERATED, marketplace, since, limit)

    def _last_seen(
        self, condition: ColumnElement[bool], marketplace: str, since: datetime, limit: int
    ) -> Sequence[str]:
        rows = select(ReviewRow.external_id).where(
            condition, ReviewRow.marketplace == marketplace, ReviewRow.seen_at < since
        )
        return self._session.scalars(rows.order_by(ReviewRow.seen_at).limit(limit)).all()

    def untold_rejections(self, marketplace: str, limit: int) -> Sequence[tuple[int, str | None]]:
        """The reviews whose answer the marketplace rejected, and of which no alert was sent yet: number and reason."""
        untold = ANSWER_REJECTED, ReviewRow.rejection_told_at.is_(None), ReviewRow.marketplace == marketplace
        found = select(ReviewRow.id, ReviewRow.answer_reason).where(*untold).order_by(ReviewRow.id).limit(limit)
        return [(number, reason) for number, reason in self._session.execute(found)]

    def mark_rejections_told(self, review_ids: Sequence[int], now: datetime) -> None:
        """Record that somebody was told of these rejected answers."""
        statement = update(ReviewRow).where(ReviewRow.id.in_(review_ids), ANSWER_REJECTED)
        self._session.execute(statement.values(rejection_told_at=now))

    def mark_seen(self, marketplace: str, external_ids: Iterable[str], now: datetime) -> None:
        """Record that the marketplace has shown these reviews."""
        statement = update(ReviewRow).where(by_key(ReviewRow, marketplace, bindparam("seen"))).values(seen_at=now)
        if seen := [{"seen": external_id} for external_id in external_ids]:
            self._session.connection().execute(statement, seen)

    def mark_gone(self, marketplace: str, external_id: str, now: datetime) -> bool:
        """Record that the marketplace no longer lists a review as waiting for an answer.

        A row that was read later than `now` stays as it is. The digest is cleared, so that a review that comes back
        counts as changed.

        Returns:
            Whether the row changed.
        """
        present = ReviewRow.gone_at.is_(None), ReviewRow.as_of <= now
        statement = update(ReviewRow).where(by_key(ReviewRow, marketplace, external_id), *present)
        gone = statement.values(gone_at=now, seen_at=now, as_of=now, digest="", advice_due_at=None)
        return bool(self._session.connection().execute(gone).rowcount)


def _values(review: Review, now: datetime) -> dict[str, Any]:
    """The row of a review. The product's name is not in the digest: a marketplace sends it only at times."""
    content = {name: value for name, value in asdict(review).items() if name not in _NOT_STORED}
    digested = [value for name, value in content.items() if name in _OVERWRITTEN and name != "as_of"]
    digested += filter(None, [review.answer_reason])
    return content | {
        "digest": "" if review.processed else digest(*digested),  # as of one that is gone: it differs if it comes back
        "created_at": review.created_at or now,
        "first_seen_at": now,
        "seen_at": now,
        "gone_at": review.as_of if review.processed else None,
        "advice_due_at": None if review.answered or review.processed else now,
        "advice_attempts": 0,
    }


def _changes(read: Any) -> Mapping[str, Any]:
    """The columns of an update. They are expressions, so that the database uses the row as it is at that time."""
    is_gone, is_processed = ReviewRow.gone_at.is_not(None), read.gone_at.is_not(None)
    comes_back = and_(is_gone, ~is_processed)
    # A list of Ozon says nothing of an answer: what is known of it stays. One that is being published is not shown yet.
    kept = and_(read.answered, read.answer_text.is_(None), ReviewRow.answer_text.is_not(None))
    sent = and_(read.answered, read.answer_state == NOT_ANSWERED, ReviewRow.answer_claimed_at.is_not(None))
    return {name: read[name] for name in _OVERWRITTEN} | {
        "created_at": kept_if_unknown(read, ReviewRow.created_at),
        "rating": case((read.rating == UNKNOWN_RATING, ReviewRow.rating), else_=read.rating),
        # A product that cannot be read any more is still the same one.
        "product_id": case((read.product_id == "", ReviewRow.product_id), else_=read.product_id),
        "product_name": func.coalesce(read.product_name, ReviewRow.product_name),
        "answer_state": case((kept, ReviewRow.answer_state), (sent, IN_MODERATION), else_=read.answer_state),
        "answer_reason": case((kept, ReviewRow.answer_reason), else_=read.answer_reason),
        "answer_text": case((read.answered, func.coalesce(read.answer_text, ReviewRow.answer_text)), else_=null()),
        "gone_at": case((is_processed, func.coalesce(ReviewRow.gone_at, read.gone_at)), else_=null()),
        "advice_due_at": case(
            (or_(read.answered, is_processed, and_(is_gone, ~_has_draft())), read.advice_due_at),
            else_=ReviewRow.advice_due_at,
        ),
        "advice_attempts": case((comes_back, 0), else_=ReviewRow.advice_attempts),
        "rejection_told_at": case((read.answer_state == REJECTED, ReviewRow.rejection_told_at), else_=null()),
        "answer_claimed_at": case((read.answered, null()), else_=ReviewRow.answer_claimed_at),
    }


def _has_draft() -> ColumnElement[bool]:
    """A review that has a draft gets no second one by itself, however often it leaves and comes back.

    The row of the upsert is named by hand: SQLAlchemy would select from a second `reviews` here.
    """
    this: ColumnElement[int] = literal_column(f"{ReviewRow.__tablename__}.id")
    has_text = or_(AdviceRow.outcome == DRAFTED, AdviceRow.outcome == HELD)
    return exists(select(AdviceRow.id).where(AdviceRow.review_id == this, has_text))
