"""The reviews of the seller at Ozon, with the changes made through the API."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.sandbox.fake_service import Environment
from service.sandbox.ozon.errors import invalid, not_found
from service.sandbox.ozon.moderation import ListedComment, moderate
from service.sandbox.ozon.review_model import Comment, SimulatedReview, Status, uuid7
from service.sandbox.simulation import Timeline

_BACKLOG_SPAN: Final = timedelta(days=60)
_CHANGED: Final = "ozon-review"


@dataclass(frozen=True, slots=True)
class ReviewState:
    """A review, with its current status and the comments that are listed: a fresh one is not."""

    review: SimulatedReview
    status: Status
    comments: tuple[ListedComment, ...]

    @property
    def published(self) -> int:
        """The number of comments that are shown."""
        return sum(comment.is_published for comment in self.comments)


class ReviewStore:
    """All reviews. A status that was set through the API wins over what an employee does, even later."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._journal = environment.journal
        options = environment.options
        self._moderation = options.moderation
        self._timeline = Timeline(
            environment.simulation, options.ozon_reviews, _BACKLOG_SPAN, options.ozon_reviews_every
        )
        self._reviews: list[SimulatedReview] = []
        self._numbers: dict[str, int] = {}
        self._statuses: dict[str, Status] = {}
        self._comments: defaultdict[str, list[Comment]] = defaultdict(list)
        self._comment_count = 0
        for entry in self._journal.entries(_CHANGED):
            self._apply(entry)

    def all(self) -> list[SimulatedReview]:
        """The reviews that exist now, oldest first. The index of a review is its number."""
        count = self._timeline.count()
        for number in range(len(self._reviews), count):
            review = SimulatedReview.generate(self._timeline, number)
            self._reviews.append(review)
            self._numbers[review.id] = number
        return self._reviews[:count]

    def get(self, review_id: str) -> SimulatedReview:
        """One review.

        Raises:
            ApiError: no review has that id.
        """
        reviews = self.all()
        number = self._numbers.get(review_id, len(reviews))
        if number >= len(reviews):
            raise not_found("review")
        return reviews[number]

    def state(self, review: SimulatedReview) -> ReviewState:
        handling, now = review.handling_at(self._simulation.now()), self._simulation.now()
        employee_status: Status = handling.status if handling else "NEW"
        listed = (moderate(comment, now, self._moderation) for comment in self._written(review))
        status = self._statuses.get(review.id, employee_status)
        return ReviewState(review, status, tuple(comment for comment in listed if comment))

    def _written(self, review: SimulatedReview) -> list[Comment]:
        """All comments, also those that are not listed yet."""
        handling = review.handling_at(self._simulation.now())
        answers = [handling.answer] if handling and handling.answer else []
        return sorted((*answers, *self._comments[review.id]), key=lambda comment: comment.at)

    def states(self) -> Iterator[ReviewState]:
        return map(self.state, self.all())

    def set_status(self, review_ids: Iterable[str], status: Status) -> None:
        """Set the status of all reviews; of none if an id is unknown."""
        self._record(review_ids=[self.get(review_id).id for review_id in review_ids], status=status)

    def add_comment(self, review_id: str, text: str, parent: str, *, processed: bool) -> str:
        """Add a comment, and return its id. The same text again is another comment."""
        review = self.get(review_id)
        if parent and parent not in {comment.id for comment in self._written(review)}:
            raise invalid("Request validation error: invalid parent_comment_id: there is no such comment")
        now = self._simulation.now()
        comment_id = uuid7(self._simulation.random("ozon-comment", self._comment_count), now)
        comment = {"id": comment_id, "text": text, "parent": parent, "at": now.isoformat()}
        self._record(review_ids=[review.id], comment=comment, status="PROCESSED" if processed else None)
        return comment_id

    def _record(self, **change: Any) -> None:
        self._journal.append(_CHANGED, **change)
        self._apply(change)

    def _apply(self, entry: dict[str, Any]) -> None:
        for review_id in entry["review_ids"]:
            if entry["status"]:
                self._statuses[review_id] = entry["status"]
            if comment := entry.get("comment"):
                written = Comment(**comment | {"at": datetime.fromisoformat(comment["at"])})
                self._comments[review_id].append(written)
                self._comment_count += 1
