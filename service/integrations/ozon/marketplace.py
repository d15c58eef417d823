"""Ozon: what can be asked of it about reviews and orders, with one account."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from service.database.clock import utcnow
from service.integrations.http.client import ApiClient
from service.integrations.http.errors import NotFound
from service.integrations.marketplace import InvalidPayload, Order, Review, ReviewMarketplace, Source
from service.integrations.ozon.client import post
from service.integrations.ozon.errors import _SERVICE
from service.integrations.ozon.orders import FBO, FBS, PostingSource
from service.integrations.ozon.product_names import KnownNames, ProductNames
from service.integrations.ozon.reviews import AllReviews, ReviewList, UnansweredReviews, reviews_of

_ANSWER_LENGTH: Final = 1000  # Ozon does not say how long a comment may be; so long ones were seen to be taken


class OzonReviews(ReviewMarketplace):
    """`names` gives the names of products that are known already, by sku."""

    def __init__(self, client: ApiClient, names: KnownNames, now: Callable[[], datetime] = utcnow) -> None:
        self.name = _SERVICE
        self.answer_length = _ANSWER_LENGTH
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
        as_of = self._now()
        try:
            payload = post(self._client, "/v2/review/info", {"review_id": external_id})
        except NotFound:
            return None
        return reviews_of([payload], self._names, as_of)[0]

    def answer(self, external_id: str, text: str) -> bool:
        """Not repeatable: Ozon has no key by which it would know the second comment for the first."""
        body = {"review_id": external_id, "text": text, "mark_review_as_processed": True}
        return bool(post(self._client, "/v1/review/comment/create", body, repeatable=False).get("comment_id"))


class OzonOrders:
    def __init__(self, client: ApiClient, now: Callable[[], datetime] = utcnow) -> None:
        self._client = client
        self._now = now

    def sources(self) -> Sequence[Source[Order]]:
        return (PostingSource(FBS, self._client, self._now), PostingSource(FBO, self._client, self._now))
