"""The reviews of Ozon's seller: what there is by now, and what was done to them through the API."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.sandbox.fake_service import Environment
from service.sandbox.ozon.errors import invalid, not_found
from service.sandbox.ozon.review_model import Comment, Review, Status, identifier
from service.sandbox.simulation import Timeline

_SPAN: Final = timedelta(days=60)
_DONE: Final = "ozon-review"


@dataclass(frozen=True, slots=True)
class ReviewNow:
    """A review as it is at a moment."""

    review: Review
    status: Status
    comments: tuple[Comment, ...]


class Reviews:
    """What was done through the API has the last word about a status, whatever somebody does by hand later."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._journal = environment.journal
        options = environment.options
        self._timeline = Timeline(environment.simulation, options.ozon_reviews, _SPAN, options.ozon_reviews_every)
        self._drawn: list[Review] = []
        self._numbers: dict[str, int] = {}
        self._statuses: dict[str, Status] = {}
        self._comments: defaultdict[str, list[Comment]] = defaultdict(list)
        self._written = 0
        for entry in self._journal.entries(_DONE):
            self._apply(entry)

    def all(self) -> list[Review]:
        """Oldest first: the review at an index has that number."""
        count = self._timeline.count()
        for number in range(len(self._drawn), count):
            review = Review.drawn(self._timeline, number)
            self._drawn.append(review)
            self._numbers[review.id] = number
        return self._drawn[:count]

    def get(self, review_id: str) -> Review:
        """Raises:
        Refused: there is none of that id.
        """
        reviews = self.all()
        number = self._numbers.get(review_id, len(reviews))
        if number >= len(reviews):
            raise not_found("review")
        return reviews[number]

    def now(self, review: Review) -> ReviewNow:
        handling = review.handled(self._simulation.now())
        by_hand: Status = handling.status if handling else "NEW"
        first = [handling.answer] if handling and handling.answer else []
        comments = sorted((*first, *self._comments[review.id]), key=lambda comment: comment.at)
        return ReviewNow(review, self._statuses.get(review.id, by_hand), tuple(comments))

    def every(self) -> Iterator[ReviewNow]:
        return map(self.now, self.all())

    def mark(self, review_ids: Iterable[str], status: Status) -> None:
        """All of them, or none."""
        self._do(review_ids=[self.get(review_id).id for review_id in review_ids], status=status)

    def comment(self, review_id: str, text: str, parent: str, *, processed: bool) -> str:
        """The id of the comment. The same text again is another comment."""
        review = self.get(review_id)
        if parent and parent not in {comment.id for comment in self.now(review).comments}:
            raise invalid("Request validation error: invalid parent_comment_id: there is no such comment")
        at = self._simulation.now()
        comment_id = identifier(self._simulation.random("ozon-comment", self._written), at)
        comment = {"id": comment_id, "text": text, "parent": parent, "at": at.isoformat()}
        self._do(review_ids=[review.id], comment=comment, status="PROCESSED" if processed else None)
        return comment_id

    def _do(self, **what: Any) -> None:
        self._journal.append(_DONE, **what)
        self._apply(what)

    def _apply(self, entry: dict[str, Any]) -> None:
        for review_id in entry["review_ids"]:
            if entry["status"]:
                self._statuses[review_id] = entry["status"]
            if comment := entry.get("comment"):
                written = Comment(**comment | {"at": datetime.fromisoformat(comment["at"])})
                self._comments[review_id].append(written)
                self._written += 1
