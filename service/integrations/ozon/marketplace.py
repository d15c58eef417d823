"""The reviews and orders of one account of Ozon."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from service.database.clock import utcnow
from service.integrations.http.client import ApiClient
from service.integrations.http.errors import NotFound
from service.integrations.marketplace import NOT_ANSWERED, REJECTED, InvalidPayload, Order, Review, Source
from service.integrations.ozon.client import post
from service.integrations.ozon.comments import Answer, fetch_answers, shown_answer
from service.integrations.ozon.orders import FBO, FBS, PostingSource
from service.integrations.ozon.product_names import KnownNames, ProductNames
from service.integrations.ozon.reviews import AllReviews, ReviewList, UnansweredReviews, has_comments, parse_with_names
from service.names import OZON


class OzonReviews:
    """The reviews of Ozon (`ReviewMarketplace`). `names` looks up stored product names by sku."""

    name = OZON
    answer_length = 1000  # not documented; Ozon accepts comments of this length

    def __init__(self, client: ApiClient, names: KnownNames, now: Callable[[], datetime] = utcnow) -> None:
        self._client = client
        self._now = now
        self._names = ProductNames(client, names, now)
        reviews = ReviewList(client, self._names, now)
        self.unanswered: Sequence[Source[Review]] = (
            UnansweredReviews("NEW", reviews),
            UnansweredReviews("VIEWED", reviews),
        )
        self.history: Sequence[Source[Review]] = (AllReviews(reviews),)

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        """As `ReviewMarketplace.read`. The answer is read from the review's comments."""
        as_of = self._now()
        try:
            payload = post(self._client, "/v2/review/info", {"review_id": external_id})
            [review] = parse_with_names([payload], self._names, as_of)
            if isinstance(review, InvalidPayload) or not (review.answered or has_comments(payload)):
                return review
            return _with_answer(review, shown_answer(fetch_answers(self._client, external_id)))
        except NotFound:
            return None

    def answer(self, external_id: str, text: str) -> bool:
        """Sent once: Ozon has no idempotency key, so a retry could add a second comment."""
        body = {"review_id": external_id, "text": text, "mark_review_as_processed": True}
        return bool(post(self._client, "/v1/review/comment/create", body, repeatable=False).get("comment_id"))


def _with_answer(review: Review, answer: Answer | None) -> Review:
    """The review with the state of its answer. An answer that Ozon does not list is not known.

    A review with an answer counts as answered, even if it is not marked as processed; not if the answer was rejected.
    """
    if answer is None:
        return replace(review, answer_state=NOT_ANSWERED)
    if answer.state == REJECTED and not review.answered:
        return review
    return replace(
        review, answered=True, answer_text=answer.text, answer_state=answer.state, answer_reason=answer.reason
    )


class OzonOrders:
    """The orders of Ozon (`OrderMarketplace`), a source for each scheme."""

    name = OZON

    def __init__(self, client: ApiClient, now: Callable[[], datetime] = utcnow) -> None:
        self._client = client
        self._now = now

    def sources(self) -> Sequence[Source[Order]]:
        return (PostingSource(FBS, self._client, self._now), PostingSource(FBO, self._client, self._now))
