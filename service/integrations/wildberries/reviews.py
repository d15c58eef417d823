"""Reviews of Wildberries: two lists, answered and not, without a cursor and without an "updated since"."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiCall, ApiClient
from service.integrations.http.errors import EndlessPages, NotFound, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import (
    IN_MODERATION,
    NOT_ANSWERED,
    PUBLISHED,
    REJECTED,
    START,
    InvalidPayload,
    Page,
    Position,
    Review,
    Source,
)
from service.integrations.wildberries.fields import (
    UnreadableField,
    identity_of,
    moment_of,
    number_text,
    object_of,
    only,
    opinion_of,
    optional_text,
    part_of,
    rating_of,
    text_of,
)
from service.integrations.wildberries.moscow_time import MOSCOW

TAKE: Final = 1000
FURTHEST: Final = 199_990  # the largest `skip` that is allowed
LOOK_BACK: Final = timedelta(days=7)
ALL_AGAIN: Final = timedelta(days=1)
_STATES: Final[Mapping[str, str]] = {"wbRu": PUBLISHED, "reviewRequired": IN_MODERATION, "rejected": REJECTED}
_KEPT: Final = frozenset({"id", "text", "pros", "cons", "productValuation", "createdDate", "state"})
_KEPT_INSIDE: Final[Mapping[str, frozenset[str]]] = {
    "productDetails": frozenset({"nmId", "productName", "supplierArticle"}),
    "answer": frozenset({"state"}),
}


class WildberriesReviews:
    """What is asked of Wildberries about reviews (`ReviewMarketplace`)."""

    name = "wb"
    answer_length = 5000

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now
        self.unanswered: Sequence[Source[Review]] = [UnansweredReviews(self._list, now)]
        self.history: Sequence[Source[Review]] = [AnsweredReviews(self._list, now)]

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        as_of = self._now()
        try:
            answer = self._client.call(ApiCall("GET", "/api/v1/feedback", self._limit, {"id": external_id}))
        except NotFound:
            return None
        return review_of(answer.object().get("data"), as_of)

    def answer(self, external_id: str, text: str) -> bool:
        """Always False: Wildberries says 204 of a review that does not exist, too."""
        body = {"id": external_id, "text": text}
        self._client.call(ApiCall("POST", "/api/v1/feedbacks/answer", self._limit, json=body, repeatable=False))
        return False

    def _list(self, parameters: Mapping[str, Any]) -> list[Any]:
        answer = self._client.call(
            ApiCall("GET", "/api/v1/feedbacks", self._limit, {"take": TAKE, "order": "dateAsc", **parameters})
        )
        data = answer.object().get("data")
        rows = data.get("feedbacks") if isinstance(data, Mapping) else None
        if not isinstance(rows, list):
            raise Unreadable("wb answered /api/v1/feedbacks without data.feedbacks.")
        return rows


List = Callable[[Mapping[str, Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class _Place:
    """From which second of creation on, and how many of its rows to pass over."""

    since: int | None
    skip: int = 0

    def parameters(self) -> dict[str, int]:
        return {"skip": self.skip} | ({} if self.since is None else {"dateFrom": self.since})

    def after(self, rows: list[Any]) -> "_Place":
        """Further in time rather than in rows: rows leave a list while it is read, and the rest would move up.

        A second earlier than the newest row, since it is not said whether `dateFrom` is inclusive. Where that passes over
        none of the rows, there are more of that time than one page holds: only then further in rows.
        """
        seconds = [second for row in rows if (second := _second(row)) is not None]
        since = max(seconds, default=0) - 1
        if min(seconds, default=0) < since:
            return _Place(since)
        return _Place(self.since, self.skip + TAKE)


def _pages(
    rows_of: List, place: _Place, now: Callable[[], datetime], *, answered: bool
) -> Iterator[tuple[Page[Review], _Place | None]]:
    """Each page, and the place of the next one; None behind the last."""
    before: list[str] = []
    while place.skip <= FURTHEST:
        as_of = now()
        rows = rows_of({"isAnswered": answered, **place.parameters()})
        ids = [str(row.get("id")) for row in rows if isinstance(row, Mapping)]
        if rows and ids == before:
            raise EndlessPages("wb gives the same page of reviews again and again.")
        before = ids
        following = place.after(rows) if len(rows) >= TAKE else None
        yield Page([review_of(row, as_of) for row in rows], START), following
        if following is None:
            return
        place = following
    raise EndlessPages("wb has more reviews of one second than it lets anybody read.")


def _second(row: Any) -> int | None:
    """Of its creation, where that can be read."""
    try:
        return int(moment_of(object_of(row), "createdDate", MOSCOW).timestamp())
    except UnreadableField:
        return None


class UnansweredReviews:
    """Read as a whole each time; it is what waits, and short."""

    name = "wb.reviews.unanswered"

    def __init__(self, rows_of: List, now: Callable[[], datetime]) -> None:
        self._list = rows_of
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        place = _Place(position.get("since"), position.get("skip", 0))
        for page, following in _pages(self._list, place, self._now, answered=False):
            if following is not None:
                page.position = {"since": following.since, "skip": following.skip}
            yield page


class AnsweredReviews:
    """Read on from a week before the newest; once a day all of it, since an old review may get another answer."""

    name = "wb.reviews.answered"

    def __init__(self, rows_of: List, now: Callable[[], datetime]) -> None:
        self._list = rows_of
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        newest, place, whole = position.get("newest"), *self._begin(position)
        for page, following in _pages(self._list, place, self._now, answered=True):
            newest = max(filter(None, (newest, *(_created(row) for row in page.rows))), default=None)
            page.position = {"newest": newest, "whole": whole}
            if following is not None:
                page.position |= {"since": following.since, "skip": following.skip}
            yield page

    def _begin(self, position: Position) -> tuple[_Place, float]:
        """Where to begin, and when all of it was last begun."""
        now, whole, newest = self._now().timestamp(), position.get("whole", 0.0), position.get("newest")
        if "since" in position:
            return _Place(position["since"], position["skip"]), whole
        if newest is None or now - whole > ALL_AGAIN.total_seconds():
            return _Place(None), now
        return _Place(newest - int(LOOK_BACK.total_seconds())), whole


def _created(row: Review | InvalidPayload) -> int | None:
    return int(row.created_at.timestamp()) if isinstance(row, Review) else None


def review_of(payload: object, as_of: datetime) -> Review | InvalidPayload:
    """One review; whoever wrote it stays outside."""
    try:
        return _review(object_of(payload), as_of)
    except UnreadableField as error:
        return InvalidPayload(external_id=identity_of(payload, "id"), reason=str(error), payload=_kept(payload))


def _kept(payload: object) -> dict[str, Any]:
    kept: dict[str, Any] = only(payload, _KEPT)
    if isinstance(payload, Mapping):
        kept |= {name: only(payload[name], fields) for name, fields in _KEPT_INSIDE.items() if name in payload}
    return kept


def _review(row: Mapping[str, Any], as_of: datetime) -> Review:
    product = part_of(row, "productDetails")
    answer = None if row.get("answer") is None else part_of(row, "answer")
    return Review(
        marketplace="wb",
        external_id=text_of(row, "id", 100),
        created_at=moment_of(row, "createdDate", MOSCOW),
        rating=rating_of(row, "productValuation"),
        text=opinion_of(row, "text"),
        pros=opinion_of(row, "pros"),
        cons=opinion_of(row, "cons"),
        product_id=number_text(product, "nmId"),
        product_name=optional_text(product, "productName") or None,
        answered=answer is not None,
        answer_text=None if answer is None else opinion_of(answer, "text"),
        answer_state=NOT_ANSWERED if answer is None else _STATES.get(optional_text(answer, "state"), PUBLISHED),
        as_of=as_of,
    )
