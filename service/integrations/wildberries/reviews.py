"""The lists of Wildberries' reviews that wait for an answer and of those that are processed, and their parser."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from service.integrations.http.errors import EndlessPages
from service.integrations.marketplace import (
    IN_MODERATION,
    NOT_ANSWERED,
    PUBLISHED,
    REJECTED,
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
from service.integrations.wildberries.fields import (
    digits_field,
    free_text_field,
    id_or_none,
    object_field,
    optional_text_field,
    rating_field,
    require_object,
    text_field,
    timestamp_field,
    whitelist,
)
from service.integrations.wildberries.moscow_time import MOSCOW
from service.names import WB

PAGE_SIZE: Final = 5000  # the largest `take` that the API allows: a Base token has five calls an hour
MAX_SKIP: Final = 199_990  # the largest `skip` that the API allows
OVERLAP: Final = timedelta(days=7)
FULL_READ_INTERVAL: Final = timedelta(days=1)
_PROCESSED: Final = "wbRu"
_STATES: Final[Mapping[str, str]] = {"wbRu": PUBLISHED, "reviewRequired": IN_MODERATION, "rejected": REJECTED}
_WHITELIST: Final = frozenset({"id", "text", "pros", "cons", "productValuation", "createdDate", "state"})
_NESTED_WHITELIST: Final[Mapping[str, frozenset[str]]] = {
    "productDetails": frozenset({"nmId", "productName", "supplierArticle"}),
    "answer": frozenset({"state"}),
}

FetchRows = Callable[[Mapping[str, Any]], list[Any]]
"""Fetches the rows of one page of the list, by query parameters."""


@dataclass(frozen=True, slots=True)
class _Offset:
    """The second of creation to read from, and how many of its rows to skip."""

    since: int | None
    skip: int = 0

    def parameters(self) -> dict[str, int]:
        return {"skip": self.skip} | ({} if self.since is None else {"dateFrom": self.since})

    def after(self, rows: list[Any]) -> "_Offset":
        """The offset of the next page, by time rather than by rows: answered rows leave the list, and the rest moves up.

        It is a second before the newest row, since `dateFrom` may be exclusive. If that is no progress, one page cannot hold
        the rows of that time, whatever older rows are among them. Only then it is further by rows.
        """
        seconds = [second for row in rows if (second := created_second(row)) is not None]
        since, before = max(seconds, default=0) - 1, min(seconds, default=0) if self.since is None else self.since
        return _Offset(since) if since > before else _Offset(self.since, self.skip + PAGE_SIZE)


def _pages(
    fetch: FetchRows, offset: _Offset, now: Callable[[], datetime], *, answered: bool
) -> Iterator[tuple[Page[Review], _Offset | None]]:
    """Yield each page with the offset of the next one, which is None behind the last page."""
    skipped: list[Any] = []  # the rows that the offset of this page skips
    newer = NewerRows(now(), _created_at)
    while offset.skip <= MAX_SKIP:
        as_of = now()
        rows = fetch({"isAnswered": answered, "take": PAGE_SIZE, **offset.parameters()})
        if rows and rows == skipped:
            raise EndlessPages("wb returns the same page of reviews repeatedly.")
        is_last = len(rows) < PAGE_SIZE or newer.end_after(rows)
        next_offset = None if is_last else offset.after(rows)
        yield Page([parse_review(row, as_of, processed=answered) for row in rows], START), next_offset
        if next_offset is None:
            return
        skipped = rows if next_offset.skip else []
        offset = next_offset
    raise EndlessPages("wb has more reviews of one second than it returns.")


def created_second(row: Any) -> int | None:
    """The Unix second of a row's creation; None if it is invalid."""
    try:
        return int(timestamp_field(require_object(row), "createdDate", MOSCOW).timestamp())
    except InvalidField:
        return None


def _created_at(row: Any) -> datetime | None:
    second = created_second(row)
    return None if second is None else datetime.fromtimestamp(second, UTC)


class UnansweredReviews:
    """The unanswered reviews. The list is short and is read completely each time."""

    name = f"{WB}.reviews.unanswered"

    def __init__(self, fetch: FetchRows, now: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        offset = _Offset(position.get("since"), position.get("skip", 0))
        for page, next_offset in _pages(self._fetch, offset, self._now, answered=False):
            if next_offset is not None:
                page.position = {"since": next_offset.since, "skip": next_offset.skip}
            yield page


class ProcessedReviews:
    """The processed reviews, most of them answered, read from a week before the newest. At times the complete list: old
    answers may change.
    """

    name = f"{WB}.reviews.answered"

    def __init__(
        self, fetch: FetchRows, now: Callable[[], datetime], full_read_interval: timedelta = FULL_READ_INTERVAL
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._full_read_interval = full_read_interval

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        newest, offset, full_read_at = position.get("newest"), *self._begin(position)
        for page, next_offset in _pages(self._fetch, offset, self._now, answered=True):
            newest = max(filter(None, (newest, *_created_seconds(page.rows))), default=None)
            page.position = {"newest": newest, "whole": full_read_at}
            if next_offset is not None:
                page.position |= {"since": next_offset.since, "skip": next_offset.skip}
            yield page

    def _begin(self, position: Position) -> tuple[_Offset, float]:
        """The first offset, and when the last full read began (Unix seconds)."""
        now, full_read_at, newest = self._now().timestamp(), position.get("whole", 0.0), position.get("newest")
        if "since" in position:
            return _Offset(position["since"], position["skip"]), full_read_at
        if newest is None or now - full_read_at > self._full_read_interval.total_seconds():
            return _Offset(None), now
        return _Offset(newest - int(OVERLAP.total_seconds())), full_read_at


def _created_seconds(rows: Iterable[Review | InvalidPayload]) -> list[int]:
    """The Unix seconds of creation. A date in the future counts as now, so that it does not hide later reviews."""
    reviews = [row for row in rows if isinstance(row, Review)]
    return [int(min(row.created_at, row.as_of).timestamp()) for row in reviews if row.created_at is not None]


def parse_review(payload: object, as_of: datetime, *, processed: bool | None = None) -> Review | InvalidPayload:
    """Parse one review, without personal data of its author.

    Args:
        payload: the JSON of the review.
        as_of: when it was asked for.
        processed: whether it was in a list of processed reviews; None outside a list, where only its `state` says it.
    """
    try:
        return _review(require_object(payload), as_of, processed=processed)
    except InvalidField as error:
        return InvalidPayload(external_id=id_or_none(payload, "id"), reason=str(error), payload=_whitelisted(payload))


def _whitelisted(payload: object) -> dict[str, Any]:
    kept: dict[str, Any] = whitelist(payload, _WHITELIST)
    if isinstance(payload, Mapping):
        kept |= {
            name: whitelist(payload[name], fields) for name, fields in _NESTED_WHITELIST.items() if name in payload
        }
    return kept


def _review(row: Mapping[str, Any], as_of: datetime, *, processed: bool | None) -> Review:
    """Its id and whether it has an answer have to be readable."""
    processed = row.get("state") == _PROCESSED if processed is None else processed
    number, odd = text_field(row, "id", 100), OddFields()
    product = odd.read(lambda: object_field(row, "productDetails"), None)
    answer = None if row.get("answer") is None else object_field(row, "answer")
    return Review(
        marketplace=WB,
        external_id=number,
        created_at=odd.read(lambda: timestamp_field(row, "createdDate", MOSCOW), None),
        rating=odd.read(lambda: rating_field(row, "productValuation"), UNKNOWN_RATING),
        text=odd.read(lambda: free_text_field(row, "text"), ""),
        pros=odd.read(lambda: free_text_field(row, "pros"), ""),
        cons=odd.read(lambda: free_text_field(row, "cons"), ""),
        product_id="" if product is None else odd.read(lambda: digits_field(product, "nmId"), ""),
        product_name=optional_text_field(product or {}, "productName") or None,
        answered=answer is not None,
        answer_text=None if answer is None else odd.read(lambda: free_text_field(answer, "text"), ""),
        answer_state=NOT_ANSWERED if answer is None else _STATES.get(optional_text_field(answer, "state"), PUBLISHED),
        answer_editable=None if answer is None or not isinstance(answer.get("editable"), bool) else answer["editable"],
        processed=processed and answer is None,
        as_of=as_of,
        odd=odd.noted(number, _whitelisted(row)),
    )
