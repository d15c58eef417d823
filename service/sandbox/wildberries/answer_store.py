"""Answers to reviews: simulated ones of employees, and those sent through the API, which are in the journal."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from service.sandbox.fake_service import Environment
from service.sandbox.journal import Entry
from service.sandbox.wildberries.review_model import SimulatedReview
from service.sandbox.wildberries.review_texts import random_answer

EDITABLE_PERIOD: Final = timedelta(days=60)
FORBIDDEN_WORD: Final = "запрещено"
_GIVEN: Final = "wb-answer"
_EDITED: Final = "wb-answer-edit"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a review.

    Attributes:
        given_at: when the review was answered.
        moderated_at: when the moderation of this text ends.
    """

    text: str
    given_at: datetime
    moderated_at: datetime
    edited: bool = False

    def state(self, now: datetime) -> str:
        if now < self.moderated_at:
            return "reviewRequired"
        return "rejected" if FORBIDDEN_WORD in self.text.casefold() else "wbRu"

    def editable(self, now: datetime) -> bool:
        """An answer can be edited once, within `EDITABLE_PERIOD`."""
        return not self.edited and now < self.given_at + EDITABLE_PERIOD


class AnswerStore:
    """The answers to all reviews."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._journal = environment.journal
        self._options = environment.options
        self._given = {entry["id"]: entry for entry in environment.journal.entries(_GIVEN)}
        self._edits = {entry["id"]: entry for entry in environment.journal.entries(_EDITED)}

    def has(self, review: SimulatedReview) -> bool:
        return review.id in self._given or (review.human_at is not None and review.human_at <= self._simulation.now())

    def current(self, review: SimulatedReview) -> Answer | None:
        """The answer that a review has now. An answer through the API replaces that of an employee."""
        if not self.has(review):
            return None
        given = self._given.get(review.id)
        answer = self._from_entry(given) if given else self._by_employee(review)
        if edit := self._edits.get(review.id):
            return replace(answer, text=edit["text"], moderated_at=self._from_entry(edit).moderated_at, edited=True)
        return answer

    def add(self, review: SimulatedReview, text: str) -> None:
        """Answer a review. A review that has an answer keeps it."""
        if not self.has(review):
            self._record(_GIVEN, self._given, review, text)

    def edit(self, review: SimulatedReview, text: str) -> None:
        """Replace the text of an answer, if it is editable."""
        answer = self.current(review)
        if answer is not None and answer.editable(self._simulation.now()):
            self._record(_EDITED, self._edits, review, text)

    def _record(self, kind: str, entries: dict[str, Entry], review: SimulatedReview, text: str) -> None:
        entry = {"id": review.id, "text": text, "at": self._simulation.now().isoformat()}
        self._journal.append(kind, **entry)
        entries[review.id] = entry

    def _from_entry(self, entry: Entry) -> Answer:
        at = datetime.fromisoformat(entry["at"])
        return Answer(entry["text"], at, at + self._options.moderation)

    def _by_employee(self, review: SimulatedReview) -> Answer:
        """Published at once: a client cannot see how long the moderation of it took."""
        at = review.human_at or review.created
        return Answer(random_answer(self._simulation.random("wb-answer", review.number), review.rating), at, at)
