"""The lists of Ozon's reviews, and their parser."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiClient
from service.integrations.marketplace import (
    IN_MODERATION,
    NOT_ANSWERED,
    PUBLISHED,
    START,
    UNKNOWN_RATING,
    InvalidField,
    InvalidPayload,
    Page,
    Position,
    Review,
)
from service.integrations.newer_rows import NewerRows
from service.integrations.odd_fields import OddFields
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import (
    Payload,
    Whitelist,
    first_timestamp,
    format_timestamp,
    id_or_none,
    int_field,
    optional_text_field,
    optional_timestamp_field,
    sku_field,
    text_field,
    timestamp_field,
    whitelist,
)
from service.integrations.ozon.pagination import ApiPage, CursorPage, api_page, pages
from service.integrations.ozon.product_names import ProductNames
from service.integrations.pii import mask_pii
from service.names import OZON

_PAGE_SIZE: Final = 100
_OVERLAP: Final = timedelta(days=7)
_ANSWERED: Final = "PROCESSED"
_STATUSES: Final = frozenset({"NEW", "VIEWED", "UNPROCESSED", _ANSWERED})  # UNPROCESSED is what v1 says for NEW
_WHITELIST: Final[Whitelist] = dict.fromkeys(
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


def parse_review(payload: object, names: Mapping[str, str], as_of: datetime) -> Review | InvalidPayload:
    """Parse one review. `names` are product names by sku."""
    if not isinstance(payload, Mapping):
        return InvalidPayload(external_id=None, reason="The review is no JSON object.", payload={})
    try:
        return _review(payload, names, as_of)
    except InvalidField as error:
        return InvalidPayload(
            external_id=id_or_none(payload, "id"), reason=str(error), payload=whitelist(payload, _WHITELIST)
        )


def _review(payload: Payload, names: Mapping[str, str], as_of: datetime) -> Review:
    """Its id and its status have to be readable."""
    number, answered, odd = text_field(payload, "id"), _status(payload) == _ANSWERED, OddFields()
    sku = odd.read(lambda: sku_field(payload), "")
    created_at = odd.read(lambda: timestamp_field(payload, "published_at"), None)
    return Review(
        marketplace=OZON,
        external_id=number,
        created_at=created_at,
        rating=odd.read(lambda: int_field(payload, "rating", 1, 5), UNKNOWN_RATING),
        text=mask_pii(odd.read(lambda: optional_text_field(payload, "text", max_length=None), "")),
        product_id=sku,
        product_name=names.get(sku),
        answered=answered,
        answer_text=None,
        answer_state=_presumed_state(payload, as_of - (created_at or as_of)) if answered else NOT_ANSWERED,
        as_of=as_of,
        odd=odd.noted(number, whitelist(payload, _WHITELIST)),
    )


def has_comments(payload: Payload) -> bool:
    """Whether a review may have comments, of the seller or of a buyer."""
    return payload.get("comments_amount") != 0


def _presumed_state(payload: Payload, age: timedelta) -> str:
    """The state of the answer to a processed review, as far as a list says: only the review's comments tell the state.

    The comments of a recent review are therefore read soon. Those of an older one were shown long ago.
    """
    if not has_comments(payload):
        return NOT_ANSWERED
    return IN_MODERATION if age < _OVERLAP else PUBLISHED


def _status(payload: Payload) -> str:
    """An unknown status must not count as "not answered": the review would get a second answer."""
    if (status := text_field(payload, "status").upper()) not in _STATUSES:
        raise InvalidField("`status` is a word that is not known.")
    return status


def parse_with_names(rows: Iterable[object], names: ProductNames, as_of: datetime) -> list[Review | InvalidPayload]:
    """Parse reviews, with their product names, for which Ozon may be called."""
    rows = list(rows)
    found = names.lookup(set(_skus_in(rows)))
    return [parse_review(row, found, as_of) for row in rows]


def _skus_in(rows: Iterable[object]) -> Iterator[str]:
    for row in rows:
        try:
            if isinstance(row, Mapping):
                yield sku_field(row)
        except InvalidField:
            continue


class ReviewList:
    """Calls the method that lists reviews, from the oldest to the newest."""

    def __init__(self, client: ApiClient, names: ProductNames, now: Callable[[], datetime]) -> None:
        self._client = client
        self._names = names
        self._now = now

    def read(self, filters: Mapping[str, Any], last_id: str) -> Iterator[CursorPage]:
        newer = NewerRows(self._now(), lambda row: first_timestamp(row, ("published_at",)))
        return pages(lambda cursor: self._fetch(filters, cursor), last_id, newer)

    def parse(self, page: CursorPage) -> list[Review | InvalidPayload]:
        return parse_with_names(page.rows, self._names, page.as_of)

    def _fetch(self, filters: Mapping[str, Any], last_id: str) -> ApiPage:
        as_of = self._now()
        body: dict[str, Any] = {"limit": _PAGE_SIZE, "sort_dir": "ASC", "filters": dict(filters)}
        if last_id:
            body["last_id"] = last_id
        return api_page(post(self._client, "/v2/review/list", body), "reviews", "last_id", as_of)


class UnansweredReviews:
    """The reviews of one status, read completely each time."""

    def __init__(self, status: str, reviews: ReviewList) -> None:
        self.name = f"{OZON}.reviews.{status.lower()}"
        self._filters = {"status": status}
        self._list = reviews

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        for page in self._list.read(self._filters, _last_id(position)):
            yield Page(self._list.parse(page), START if page.cursor is None else {"last_id": page.cursor})


class AllReviews:
    """All reviews once, then those from a week before the newest, since Ozon publishes them out of order.

    The position holds the `newest` timestamp. During a reading it also holds the `last_id` and the timestamp `from`.
    """

    name = f"{OZON}.reviews"

    def __init__(self, reviews: ReviewList) -> None:
        self._list = reviews

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        last_id, newest_before = _last_id(position), _stored_timestamp(position, "newest")
        since = _stored_timestamp(position, "from") if last_id else newest_before and newest_before - _OVERLAP
        filters = {"status": "ALL"} | ({"published_from": format_timestamp(since)} if since else {})
        newest = newest_before
        for page in self._list.read(filters, last_id):
            reviews = self._list.parse(page)
            newest = _newest(newest, reviews, page.as_of)
            yield Page(reviews, _position(newest_before if page.endless else newest, since, page.cursor))


def _newest(newest: datetime | None, reviews: Iterable[Review | InvalidPayload], now: datetime) -> datetime | None:
    """The newest timestamp. A date in the future counts as now, so that it does not hide later reviews."""
    dates = [review.created_at for review in reviews if isinstance(review, Review)]
    timestamps = [min(created_at, now) for created_at in dates if created_at is not None]
    return max(timestamps + ([newest] if newest else []), default=None)


def _position(newest: datetime | None, since: datetime | None, last_id: str | None) -> Position:
    in_progress = {"last_id": last_id, "from": since.isoformat() if since else None} if last_id else {}
    stored = {"newest": newest.isoformat() if newest else None} | in_progress
    return {name: value for name, value in stored.items() if value is not None}


def _last_id(position: Position) -> str:
    return last_id if isinstance(last_id := position.get("last_id"), str) else ""


def _stored_timestamp(position: Position, field: str) -> datetime | None:
    """None if it is invalid: reading reviews twice costs little."""
    try:
        return optional_timestamp_field(position, field)
    except InvalidField:
        return None
