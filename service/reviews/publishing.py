"""Publishes an answer to a review: read the review, write once, read back.

A claim in the database keeps others from publishing a second answer, also after a crash between these steps.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import or_, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.clock import CLOCK_TOLERANCE
from service.database.tables import ReviewRow
from service.errors import Problem
from service.integrations.http.errors import CallError
from service.integrations.marketplace import IN_MODERATION, PUBLISHED, Review, ReviewMarketplace
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction

CLAIM_TTL: Final = timedelta(hours=1)
"""After this time without confirmation another attempt is allowed. It reads the review first."""
MIN_ANSWER_LENGTH: Final = 2
CONFIRM_DELAYS: Final = (0.0, 1.0, 2.0)
_log = logging.getLogger(__name__)


class NotPublished(Problem):
    """409: nothing was sent; the message says why."""

    status = 409


class InvalidAnswer(Problem):
    """422: the text is too short or too long for the marketplace."""

    status = 422


class PublicationUnknown(Problem):
    """504: the answer was sent, and it is unknown whether the marketplace accepted it."""

    status = 504


@dataclass(frozen=True, slots=True)
class Publication:
    """`published`: the marketplace shows the answer. `sent`: the marketplace accepted it, and does not show it yet."""

    state: Literal["published", "sent"]
    text: str


def validated_answer(marketplace: ReviewMarketplace, text: str) -> str:
    """The text without space around it.

    Raises:
        InvalidAnswer: it is shorter or longer than the marketplace allows.
    """
    text, longest = text.strip(), marketplace.answer_length
    if not MIN_ANSWER_LENGTH <= len(text) <= longest:
        raise InvalidAnswer(
            f"An answer to a review of {marketplace.name} has {MIN_ANSWER_LENGTH} to {longest} characters, not {len(text)}."
        )
    return text


class AnswerWriter:
    """What publishing and correcting an answer share: reading the review back, and storing it."""

    def __init__(
        self,
        engine: Engine,
        marketplace: ReviewMarketplace,
        now: Callable[[], datetime],
        wait: Callable[[float], None],
    ) -> None:
        self._engine = engine
        self._marketplace = marketplace
        self._now = now
        self._wait = wait

    def _read_back(self, row: ReviewRow) -> Review | None:
        """The review as the marketplace shows it now; None if it cannot be read, which does not undo the answer."""
        try:
            review = self._marketplace.read(row.external_id)
        except CallError as error:
            _log.warning("The answer could not be read back: %s", error, extra={"component": self._marketplace.name})
            return None
        return review if isinstance(review, Review) else None

    def _save(self, review: Review) -> None:
        with transaction(self._engine) as session:
            ReviewRepository(session).save([review], self._now())


class Publisher(AnswerWriter):
    def publish(self, row: ReviewRow, text: str) -> Publication:
        """Publish an answer, and read it back.

        Raises:
            InvalidAnswer: the text is shorter or longer than the marketplace allows.
            NotPublished: the review has an answer, is claimed by another attempt, or is gone.
            PublicationUnknown: the answer was sent, with unknown result; the next sync finds out.
            CallError: nothing was sent, because the marketplace is unavailable or refuses.
        """
        text = validated_answer(self._marketplace, text)
        self._claim(row.id)
        try:
            self._require_unanswered(row)
        except BaseException:
            self._release(row.id)
            raise
        return self._confirm(row, text, accepted=self._write(row, text))

    def _claim(self, review_id: int) -> None:
        now = self._now()
        free = or_(ReviewRow.answer_claimed_at.is_(None), ReviewRow.answer_claimed_at < now - CLAIM_TTL)
        claim = (
            update(ReviewRow)
            .where(ReviewRow.id == review_id, ReviewRow.answered.is_(False), free)
            .values(answer_claimed_at=now)
        )
        with transaction(self._engine) as session:
            _restart_claim_of_another_clock(session, review_id, now)
            is_claimed = session.scalar(claim.returning(ReviewRow.id)) is not None
        if not is_claimed:
            raise NotPublished("This review has an answer, or one has been sent and is not confirmed yet.")

    def _release(self, review_id: int) -> None:
        with transaction(self._engine) as session:
            _release(session, review_id)

    def _require_unanswered(self, row: ReviewRow) -> None:
        """Read the review now: somebody may have answered it in the seller's account after the last sync."""
        review = self._marketplace.read(row.external_id)
        if isinstance(review, Review):
            self._save(review)
            if review.answered:
                raise NotPublished("This review has an answer already, as the marketplace says.")
        elif review is None:
            with transaction(self._engine) as session:
                ReviewRepository(session).mark_gone(row.marketplace, row.external_id, self._now())
            raise NotPublished("The marketplace has no such review any more.")

    def _write(self, row: ReviewRow, text: str) -> bool:
        """Whether it is certain that the marketplace accepted the answer."""
        try:
            return self._marketplace.answer(row.external_id, text)
        except CallError as error:
            if not error.may_have_applied:
                self._release(row.id)
                raise
            _log.warning("An answer may have been published: %s", error, extra={"component": self._marketplace.name})
            if (review := self._read_back(row)) and review.answered:
                return True
            raise PublicationUnknown(
                "The answer was sent, and the marketplace did not say whether it took it. The next sync finds out; "
                "until then this review is not answered again."
            ) from error

    def _confirm(self, row: ReviewRow, text: str, *, accepted: bool) -> Publication:
        for seconds in CONFIRM_DELAYS:
            self._wait(seconds)
            review = self._read_back(row)
            if review is None or not review.answered:
                continue
            if not review.answer_text:
                review = replace(review, answer_text=text, answer_state=IN_MODERATION)
            self._save(review)
            return Publication("published" if review.answer_state == PUBLISHED else "sent", text)
        if accepted:
            self._save_answer(row, text)
        return Publication("sent", text)

    def _save_answer(self, row: ReviewRow, text: str) -> None:
        """An answer that was taken is not shown yet: the sync reads what becomes of it."""
        with transaction(self._engine) as session:
            session.execute(
                update(ReviewRow)
                .where(ReviewRow.id == row.id)
                .values(
                    answered=True, answer_text=text, answer_state=IN_MODERATION, advice_due_at=None, as_of=self._now()
                )
            )


def _release(session: Session, review_id: int) -> None:
    session.execute(update(ReviewRow).where(ReviewRow.id == review_id).values(answer_claimed_at=None))


def _restart_claim_of_another_clock(session: Session, review_id: int, now: datetime) -> None:
    """A claim in the future is from before the clock was set back. It counts as made now, and ends after `CLAIM_TTL`."""
    claimed_at = ReviewRow.answer_claimed_at
    restart = update(ReviewRow).where(ReviewRow.id == review_id, claimed_at > now + CLOCK_TOLERANCE)
    session.execute(restart.values(answer_claimed_at=now))
