"""The reviews and orders of one account of Wildberries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.integrations.http.client import ApiCall, ApiClient
from service.integrations.http.errors import NotFound, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import InvalidPayload, Order, Review, Source
from service.integrations.wildberries.orders import OrderSource
from service.integrations.wildberries.reviews import AnsweredReviews, UnansweredReviews, parse_review
from service.names import WB


class WildberriesReviews:
    """The reviews of Wildberries (`ReviewMarketplace`)."""

    name = WB
    answer_length = 5000

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now
        self.unanswered: Sequence[Source[Review]] = [UnansweredReviews(self._fetch, now)]
        self.history: Sequence[Source[Review]] = [AnsweredReviews(self._fetch, now)]

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        as_of = self._now()
        try:
            response = self._client.call(ApiCall("GET", "/api/v1/feedback", self._limit, {"id": external_id}))
        except NotFound:
            return None
        return parse_review(response.object().get("data"), as_of)

    def answer(self, external_id: str, text: str) -> bool:
        """Always False: Wildberries responds with 204 also for a review that does not exist."""
        body = {"id": external_id, "text": text}
        self._client.call(ApiCall("POST", "/api/v1/feedbacks/answer", self._limit, json=body, repeatable=False))
        return False

    def _fetch(self, parameters: Mapping[str, Any]) -> list[Any]:
        response = self._client.call(
            ApiCall("GET", "/api/v1/feedbacks", self._limit, {"order": "dateAsc", **parameters})
        )
        data = response.object().get("data")
        rows = data.get("feedbacks") if isinstance(data, Mapping) else None
        if not isinstance(rows, list):
            raise Unreadable("wb answered /api/v1/feedbacks without data.feedbacks.")
        return rows


class WildberriesOrders:
    """The orders of Wildberries (`OrderMarketplace`)."""

    name = WB

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now

    def sources(self) -> Sequence[Source[Order]]:
        return (OrderSource(self._client, self._limit, self._now),)
