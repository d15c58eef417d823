"""Reviews of Ozon: how one is read, and the lists that they are in."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiClient
from service.integrations.marketplace import NOT_ANSWERED, PUBLISHED, START, InvalidPayload, Page, Position, Review
from service.integrations.ozon.client import post
from service.integrations.ozon.errors import _SERVICE
from service.integrations.ozon.fields import (
    Allowed,
    Malformed,
    Payload,
    id_in,
    kept,
    moment_in,
    optional_moment_in,
    optional_text_in,
    sku_in,
    stamp,
    text_in,
    whole_in,
)
from service.integrations.ozon.pagination import ApiPage, CursorPage, pages, part_of
from service.integrations.ozon.product_names import ProductNames
from service.integrations.pii import mask_pii

_LIMIT: Final = 100
_OVERLAP: Final = timedelta(days=7)
_ANSWERED: Final = "PROCESSED"
_STATUSES: Final = frozenset({"NEW", "VIEWED", "UNPROCESSED", _ANSWERED})  # UNPROCESSED is what v1 says for NEW
_KEPT: Final[Allowed] = dict.fromkeys(
    (
        "id",
        "sku",
        "rating",
        "published_at",
        "status",
        "order_status",
        "comments_amount",
        "photos_amount",
        "videos_amount",
    )
)


def review_of(payload: object, names: Mapping[str, str], as_of: datetime) -> Review | InvalidPayload:
    """`names` are those of products, by sku."""
    if not isinstance(payload, Mapping):
        return InvalidPayload(external_id=None, reason="The review is no JSON object.", payload={})
    try:
        return _review(payload, names, as_of)
    except Malformed as error:
        return InvalidPayload(external_id=id_in(payload, "id"), reason=str(error), payload=kept(payload, _KEPT))


def _review(payload: Payload, names: Mapping[str, str], as_of: datetime) -> Review:
    sku, answered = sku_in(payload), _status(payload) == _ANSWERED
    return Review(
        marketplace=_SERVICE,
        external_id=text_in(payload, "id"),
        created_at=moment_in(payload, "published_at"),
        rating=whole_in(payload, "rating", 1, 5),
        text=mask_pii(optional_text_in(payload, "text", longest=None)),
        product_id=sku,
        product_name=names.get(sku),
        answered=answered,
        answer_text=None,
        answer_state=PUBLISHED if answered else NOT_ANSWERED,
        as_of=as_of,
    )


def _status(payload: Payload) -> str:
    """A word that is not known must not pass for "not answered": the review would be answered a second time."""
    if (status := text_in(payload, "status").upper()) not in _STATUSES:
        raise Malformed("`status` is a word that is not known.")
    return status


def reviews_of(rows: Iterable[object], names: ProductNames, as_of: datetime) -> list[Review | InvalidPayload]:
    rows = list(rows)
    found = names.of(set(_skus_in(rows)))
    return [review_of(row, found, as_of) for row in rows]


def _skus_in(rows: Iterable[object]) -> Iterator[str]:
    for row in rows:
        try:
            if isinstance(row, Mapping):
                yield sku_in(row)
        except Malformed:
            continue


class ReviewList:
    """The method that lists reviews, from the oldest to the newest."""

    def __init__(self, client: ApiClient, names: ProductNames, now: Callable[[], datetime]) -> None:
        self._client = client
        self._names = names
        self._now = now

    def steps(self, filters: Mapping[str, Any], last_id: str) -> Iterator[CursorPage]:
        return pages(lambda cursor: self._ask(filters, cursor), last_id)

    def reviews(self, step: CursorPage) -> list[Review | InvalidPayload]:
        return reviews_of(step.rows, self._names, step.as_of)

    def _ask(self, filters: Mapping[str, Any], last_id: str) -> ApiPage:
        as_of = self._now()
        body: dict[str, Any] = {"limit": _LIMIT, "sort_dir": "ASC", "filters": dict(filters)}
        if last_id:
            body["last_id"] = last_id
        return part_of(post(self._client, "/v2/review/list", body), "reviews", "last_id", as_of)


class UnansweredReviews:
    """The reviews of one status, each time from the first to the last."""

    def __init__(self, status: str, reviews: ReviewList) -> None:
        self.name = f"{_SERVICE}.reviews.{status.lower()}"
        self._filters = {"status": status}
        self._list = reviews

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        for step in self._list.steps(self._filters, _last_id(position)):
            yield Page(self._list.reviews(step), START if step.cursor is None else {"last_id": step.cursor})


class AllReviews:
    """All reviews once; then those from a week before the newest, since Ozon publishes them out of order.

    The position holds the `newest` moment, and within a reading the `last_id` and the moment that it is read `from`.
    """

    name = f"{_SERVICE}.reviews"

    def __init__(self, reviews: ReviewList) -> None:
        self._list = reviews

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        last_id, began = _last_id(position), _moment(position, "newest")
        since = _moment(position, "from") if last_id else began and began - _OVERLAP
        filters = {"status": "ALL"} | ({"published_from": stamp(since)} if since else {})
        newest = began
        for step in self._list.steps(filters, last_id):
            reviews = self._list.reviews(step)
            newest = _newest(newest, reviews, step.as_of)
            yield Page(reviews, _position(began if step.endless else newest, since, step.cursor))


def _newest(newest: datetime | None, reviews: Iterable[Review | InvalidPayload], now: datetime) -> datetime | None:
    """A date in the future counts as now: it must not hide what is published until then."""
    moments = [min(review.created_at, now) for review in reviews if isinstance(review, Review)]
    return max(moments + ([newest] if newest else []), default=None)


def _position(newest: datetime | None, since: datetime | None, last_id: str | None) -> Position:
    within = {"last_id": last_id, "from": since.isoformat() if since else None} if last_id else {}
    held = {"newest": newest.isoformat() if newest else None} | within
    return {name: value for name, value in held.items() if value is not None}


def _last_id(position: Position) -> str:
    return last_id if isinstance(last_id := position.get("last_id"), str) else ""


def _moment(position: Position, field: str) -> datetime | None:
    """A position that can't be read is none: what is read twice costs little."""
    try:
        return optional_moment_in(position, field)
    except Malformed:
        return None
