"""Answers to reviews: those that people give by themselves, and those that came through the API, which the journal keeps."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from service.sandbox.fake_service import Environment
from service.sandbox.journal import Entry
from service.sandbox.wildberries.review_model import Review
from service.sandbox.wildberries.review_texts import answer_of

EDITABLE_FOR: Final = timedelta(days=60)
FORBIDDEN: Final = "запрещено"
_GIVEN: Final = "wb-answer"
_EDITED: Final = "wb-answer-edit"


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributes:
    given_at: when the review was answered.
    moderated_at: when the moderators have made up their mind about this text.
    """

    text: str
    given_at: datetime
    moderated_at: datetime
    edited: bool = False

    def state(self, now: datetime) -> str:
        if now < self.moderated_at:
            return "reviewRequired"
        return "rejected" if FORBIDDEN in self.text.casefold() else "wbRu"

    def editable(self, now: datetime) -> bool:
        """Once, and not for ever."""
        return not self.edited and now < self.given_at + EDITABLE_FOR


class Answers:
    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._journal = environment.journal
        self._options = environment.options
        self._given = {entry["id"]: entry for entry in environment.journal.entries(_GIVEN)}
        self._edits = {entry["id"]: entry for entry in environment.journal.entries(_EDITED)}

    def has(self, review: Review) -> bool:
        return review.id in self._given or (review.human_at is not None and review.human_at <= self._simulation.now())

    def of(self, review: Review) -> Answer | None:
        """The answer of this moment; what came through the API keeps a person from answering."""
        if not self.has(review):
            return None
        given = self._given.get(review.id)
        answer = self._from(given) if given else self._by_hand(review)
        if edit := self._edits.get(review.id):
            return replace(answer, text=edit["text"], moderated_at=self._from(edit).moderated_at, edited=True)
        return answer

    def give(self, review: Review, text: str) -> None:
        """The first answer stays."""
        if not self.has(review):
            self._record(_GIVEN, self._given, review, text)

    def edit(self, review: Review, text: str) -> None:
        answer = self.of(review)
        if answer is not None and answer.editable(self._simulation.now()):
            self._record(_EDITED, self._edits, review, text)

    def _record(self, kind: str, entries: dict[str, Entry], review: Review, text: str) -> None:
        what = {"id": review.id, "text": text, "at": self._simulation.now().isoformat()}
        self._journal.append(kind, **what)
        entries[review.id] = what

    def _from(self, entry: Entry) -> Answer:
        at = datetime.fromisoformat(entry["at"])
        return Answer(entry["text"], at, at + self._options.moderation)

    def _by_hand(self, review: Review) -> Answer:
        """Shown as published at once: how long it waited is nothing that a client could see."""
        at = review.human_at or review.created
        return Answer(answer_of(self._simulation.random("wb-answer", review.number), review.rating), at, at)
