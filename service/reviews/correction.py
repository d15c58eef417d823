"""Corrects an answer that the marketplace rejected: read the review, write once, read back.

That a correction was sent is in the database before it is sent: no other one follows it blindly, also after a crash.
"""

import logging

from sqlalchemy import or_, update

from service.database.clock import CLOCK_TOLERANCE
from service.database.tables import ANSWER_REJECTED, ReviewRow
from service.integrations.http.errors import CallError
from service.integrations.marketplace import (
    IN_MODERATION,
    PUBLISHED,
    REJECTED,
    AnswerCorrection,
    Review,
)
from service.reviews.publishing import (
    CLAIM_TTL,
    CONFIRM_DELAYS,
    AnswerWriter,
    InvalidAnswer,
    NotPublished,
    Publication,
    PublicationUnknown,
    validated_answer,
)
from telemetry.database import transaction

_log = logging.getLogger(__name__)


class Corrector(AnswerWriter):
    def correct(self, row: ReviewRow, text: str | None) -> Publication:
        """Replace the text of a rejected answer, and read it back.

        Raises:
            InvalidAnswer: the text is missing, the rejected one, or shorter or longer than the marketplace allows.
            NotPublished: the answer cannot be corrected: too late, corrected already, or no longer rejected.
            PublicationUnknown: the correction was sent, with unknown result; the next sync finds out.
            CallError: nothing was sent, because the marketplace is unavailable or refuses.
        """
        corrects = self._marketplace
        if not isinstance(corrects, AnswerCorrection):
            raise NotPublished(f"The answer was rejected, and {corrects.name} does not let an answer be changed.")
        text = self._validated(row, text)
        self._claim(row)
        try:
            self._require_correctable(row)
        except BaseException:
            self._release(row)
            raise
        self._write(row, corrects, text)
        return self._confirm(row, text)

    def _validated(self, row: ReviewRow, text: str | None) -> str:
        if text is None:
            raise InvalidAnswer(
                "The answer was rejected: correct it with a `text` of your own, no draft is sent for it."
            )
        if (text := validated_answer(self._marketplace, text)) == row.answer_text:
            raise InvalidAnswer("This is the text that was rejected: send another one.")
        return text

    def _claim(self, row: ReviewRow) -> None:
        """A claim in the future is from before the clock was set back: it does not count."""
        now, sent_at = self._now(), ReviewRow.answer_corrected_at
        free = or_(sent_at.is_(None), sent_at < now - CLAIM_TTL, sent_at > now + CLOCK_TOLERANCE)
        claim = update(ReviewRow).where(ReviewRow.id == row.id, ANSWER_REJECTED, free).values(answer_corrected_at=now)
        with transaction(self._engine) as session:
            if session.scalar(claim.returning(ReviewRow.id)) is None:
                raise NotPublished(
                    "A correction was sent and is not confirmed yet, or the answer is no longer rejected: "
                    "try again in an hour, or look at the review."
                )

    def _release(self, row: ReviewRow) -> None:
        """Back to the correction before, if there was one."""
        with transaction(self._engine) as session:
            before = update(ReviewRow).where(ReviewRow.id == row.id)
            session.execute(before.values(answer_corrected_at=row.answer_corrected_at))

    def _require_correctable(self, row: ReviewRow) -> None:
        """Read the review now: moderators or people may have changed the answer after the last sync."""
        review = self._marketplace.read(row.external_id)
        if not isinstance(review, Review):
            raise NotPublished("The marketplace does not show this review: its answer cannot be corrected.")
        self._save(review)
        if not review.answered:
            raise NotPublished("This review has no answer any more, as the marketplace says: publish one.")
        if review.answer_state != REJECTED:
            raise NotPublished(
                f"The answer is no longer rejected, as the marketplace says: it is {review.answer_state}."
            )
        if review.answer_editable is False:
            raise NotPublished(_why_not_editable(row))

    def _write(self, row: ReviewRow, marketplace: AnswerCorrection, text: str) -> None:
        try:
            marketplace.correct(row.external_id, text)
        except CallError as error:
            if not error.may_have_applied:
                self._release(row)
                raise
            _log.warning("An answer may have been corrected: %s", error, extra={"component": self._marketplace.name})
            if (review := self._read_back(row)) and review.answer_text == text:
                return
            raise PublicationUnknown(
                "The correction was sent, and the marketplace did not say whether it took it. The next sync finds out; "
                "for an hour the answer is not corrected again."
            ) from error

    def _confirm(self, row: ReviewRow, text: str) -> Publication:
        for seconds in CONFIRM_DELAYS:
            self._wait(seconds)
            review = self._read_back(row)
            if review is not None and review.answer_text == text:
                self._save(review)
                return Publication("published" if review.answer_state == PUBLISHED else "sent", text)
        self._save_sent(row)
        return Publication("sent", text)

    def _save_sent(self, row: ReviewRow) -> None:
        """As an answer in moderation, which each sync reads again: the marketplace does not show the correction yet."""
        sent = {"answer_state": IN_MODERATION, "rejection_told_at": None, "as_of": self._now(), "digest": ""}
        with transaction(self._engine) as session:
            session.execute(update(ReviewRow).where(ReviewRow.id == row.id).values(sent))


def _why_not_editable(row: ReviewRow) -> str:
    if row.answer_corrected_at is not None:
        return f"The answer was corrected on {row.answer_corrected_at:%Y-%m-%d}: it can be corrected only once."
    return (
        "The answer cannot be corrected any more: that is possible once, within 60 days, also in the seller's account."
    )
