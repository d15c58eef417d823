"""The reviews that are kept: written as they are read, and asked for in the words of reviews."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, case, func, null, or_, select, update
from sqlalchemy.orm import Session

from service.database.keyset import after_row
from service.database.tables import MODERATED, UNANSWERED, AdviceRow, ReviewRow
from service.database.upsert import Saved, by_key, digest, upsert
from service.errors import Problem
from service.integrations.marketplace import Review
from service.names import DRAFTED

_OVERWRITTEN: Final = (
    "created_at", "rating", "text", "pros", "cons", "product_id", "answered", "answer_text", "answer_state", "as_of",
    "digest",
)  # fmt: skip


class ReviewNotFound(Problem):
    status = 404

    def __init__(self, review_id: int) -> None:
        super().__init__(f"There is no review {review_id}; /api/v1/reviews lists what there is.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """Which reviews; None is any. `since`: created then or later."""

    marketplace: str | None = None
    rating: int | None = None
    answered: bool | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = {
            ReviewRow.marketplace: self.marketplace,
            ReviewRow.rating: self.rating,
            ReviewRow.answered: self.answered,
        }
        conditions = [column == value for column, value in equal.items() if value is not None]
        return conditions if self.since is None else [*conditions, ReviewRow.created_at >= self.since]


class ReviewRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, rows: Sequence[Review], now: datetime) -> Saved:
        """Write what is new or later than what is kept; first in its transaction.

        An answer is to be drafted for one that is new, or is there again, and not answered.
        """
        return upsert(self._session, ReviewRow, [_values(review, now) for review in rows], _changes)

    def get(self, review_id: int) -> ReviewRow:
        """Raises:
        ReviewNotFound: there is none of that id.
        """
        if (row := self._session.get(ReviewRow, review_id)) is None:
            raise ReviewNotFound(review_id)
        return row

    def advice(self, review_id: int) -> AdviceRow | None:
        """The newest draft of an answer; while there is none, what went wrong last."""
        drafted = case((AdviceRow.outcome == DRAFTED, 1), else_=0)
        newest = select(AdviceRow).where(AdviceRow.review_id == review_id).order_by(drafted.desc(), AdviceRow.id.desc())
        return self._session.scalars(newest.limit(1)).one_or_none()

    def page(self, wanted: ReviewFilter, *, before: int | None = None, limit: int = 50) -> Sequence[ReviewRow]:
        """The newest first; `before` is the id of the last one of the page before.

        Raises:
            NoSuchRow: there is none of that id.
        """
        page = select(ReviewRow).where(*wanted.conditions())
        if before is not None:
            page = page.where(after_row(self._session, ReviewRow.created_at, ReviewRow.id, before))
        page = page.order_by(ReviewRow.created_at.desc(), ReviewRow.id.desc()).limit(limit)
        return self._session.scalars(page).all()

    def missed(self, marketplace: str, since: datetime, limit: int) -> Sequence[str]:
        """Those that are kept as waiting for an answer, and were last seen before that; their ids, the oldest first."""
        return self._last_seen(UNANSWERED, marketplace, since, limit)

    def in_moderation(self, marketplace: str, since: datetime, limit: int) -> Sequence[str]:
        """Those whose answer is being looked at by the marketplace, last seen before that; their ids, the oldest first."""
        return self._last_seen(MODERATED, marketplace, since, limit)

    def _last_seen(
        self, condition: ColumnElement[bool], marketplace: str, since: datetime, limit: int
    ) -> Sequence[str]:
        rows = select(ReviewRow.external_id).where(
            condition, ReviewRow.marketplace == marketplace, ReviewRow.seen_at < since
        )
        return self._session.scalars(rows.order_by(ReviewRow.seen_at).limit(limit)).all()

    def mark_seen(self, marketplace: str, external_ids: Iterable[str], now: datetime) -> None:
        one = update(ReviewRow).where(by_key(ReviewRow, marketplace, bindparam("seen"))).values(seen_at=now)
        if seen := [{"seen": external_id} for external_id in external_ids]:
            self._session.connection().execute(one, seen)

    def mark_gone(self, marketplace: str, external_id: str, now: datetime) -> bool:
        """The marketplace had no such review, asked at that moment. Whether that is news.

        What was read later counts. With its digest gone, one that comes back is a change.
        """
        there = ReviewRow.gone_at.is_(None), ReviewRow.as_of <= now
        one = update(ReviewRow).where(by_key(ReviewRow, marketplace, external_id), *there)
        gone = one.values(gone_at=now, seen_at=now, as_of=now, digest="", advice_due_at=None)
        return bool(self._session.connection().execute(gone).rowcount)


def _values(review: Review, now: datetime) -> dict[str, Any]:
    """The product's name is no part of the content: a marketplace tells it at times, and at times does not."""
    content = asdict(review)
    told = [value for name, value in content.items() if name in _OVERWRITTEN and name != "as_of"]
    return content | {
        "digest": digest(*told),
        "first_seen_at": now,
        "seen_at": now,
        "advice_due_at": None if review.answered else now,
        "advice_attempts": 0,
    }


def _changes(read: Any) -> Mapping[str, Any]:
    """What becomes of a row. What others write in it meanwhile is looked at by the database, as it then is."""
    back = ReviewRow.gone_at.is_not(None)
    return {name: read[name] for name in _OVERWRITTEN} | {
        "product_name": func.coalesce(read.product_name, ReviewRow.product_name),
        # Ozon does not say what was answered; what was published here is known.
        "answer_text": case((read.answered, func.coalesce(read.answer_text, ReviewRow.answer_text)), else_=null()),
        "gone_at": null(),
        "advice_due_at": case((or_(read.answered, back), read.advice_due_at), else_=ReviewRow.advice_due_at),
        "advice_attempts": case((back, 0), else_=ReviewRow.advice_attempts),
        "answer_claimed_at": case((read.answered, null()), else_=ReviewRow.answer_claimed_at),
    }
