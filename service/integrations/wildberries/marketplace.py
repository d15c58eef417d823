"""The reviews and orders of one account of Wildberries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from service.integrations.http.client import ApiCall, ApiClient
from service.integrations.http.errors import NotFound, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import InvalidPayload, Order, Review, Source
from service.integrations.wildberries.archived_reviews import ArchivedReviews
from service.integrations.wildberries.orders import OrderSource
from service.integrations.wildberries.reviews import (
    FULL_READ_INTERVAL,
    ProcessedReviews,
    UnansweredReviews,
    parse_review,
)
from service.names import WB

SLOW_INTERVAL: Final = 60.0
"""Seconds between two calls from which on an account is slow: a Base token has five calls an hour."""
SLOW_FULL_READ_INTERVAL: Final = timedelta(days=7)


class WildberriesReviews:
    """The reviews of Wildberries (`ReviewMarketplace`, `AnswerCorrection`)."""

    name = WB
    answer_length = 5000

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now
        full_read_interval = SLOW_FULL_READ_INTERVAL if limit.interval > SLOW_INTERVAL else FULL_READ_INTERVAL
        listed, archived = partial(self._fetch, "/api/v1/feedbacks"), partial(self._fetch, "/api/v1/feedbacks/archive")
        self.unanswered: Sequence[Source[Review]] = [UnansweredReviews(listed, now)]
        self.history: Sequence[Source[Review]] = [
            ProcessedReviews(listed, now, full_read_interval),
            ArchivedReviews(archived, now),
        ]

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        as_of = self._now()
        try:
            response = self._client.call(ApiCall("GET", "/api/v1/feedback", self._limit, {"id": external_id}))
        except NotFound:
            return None
        return parse_review(response.object().get("data"), as_of)

    def answer(self, external_id: str, text: str) -> bool:
        """Always False: Wildberries responds with 204 also for a review that does not exist."""
        self._write("POST", external_id, text)
        return False

    def correct(self, external_id: str, text: str) -> None:
        self._write("PATCH", external_id, text)

    def _write(self, method: str, external_id: str, text: str) -> None:
        body = {"id": external_id, "text": text}
        self._client.call(ApiCall(method, "/api/v1/feedbacks/answer", self._limit, json=body, repeatable=False))

    def _fetch(self, endpoint: str, parameters: Mapping[str, Any]) -> list[Any]:
        response = self._client.call(ApiCall("GET", endpoint, self._limit, {"order": "dateAsc", **parameters}))
        data = response.object().get("data")
        rows = data.get("feedbacks") if isinstance(data, Mapping) else None
        if not isinstance(rows, list):
            raise Unreadable(f"wb answered {endpoint} without data.feedbacks.")
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
