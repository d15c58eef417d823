"""The methods for reviews, as Ozon serves them: bodies, filters, pages and the shape of what comes back."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from service.sandbox.ozon.errors import ApiError, invalid
from service.sandbox.ozon.method import Body, Direction, Method, Moment, ReviewPage, Whole, between, rfc3339
from service.sandbox.ozon.pagination import Page, onwards
from service.sandbox.ozon.review_model import Comment, Review, Status
from service.sandbox.ozon.review_store import ReviewNow, Reviews

_LONGEST: Final = 3000
_MOST_SKUS: Final = 1000
_MOST_CHANGES: Final = 100


def _some_text(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST:
        raise PydanticCustomError("text", f"value length must be between 1 and {_LONGEST} runes, inclusive")
    return text


class ReviewFilters(Body):
    status: Literal["ALL"] | Status = "ALL"
    order_status: Literal["ALL", "DELIVERED", "CANCELLED"] = "ALL"
    skus: Annotated[tuple[int, ...], Field(max_length=_MOST_SKUS)] = ()
    published_from: Moment | None = None
    published_to: Moment | None = None

    def match(self, now: ReviewNow) -> bool:
        review = now.review
        return (
            self.status in ("ALL", now.status)
            and self.order_status in ("ALL", review.order_status)
            and (not self.skus or review.product.sku in self.skus)
            and (self.published_from is None or self.published_from <= review.published_at)
            and (self.published_to is None or review.published_at <= self.published_to)
        )


class ReviewListV2Request(Body):
    limit: ReviewPage = 0
    last_id: str = ""
    sort_dir: Direction = "ASC"
    filters: ReviewFilters = ReviewFilters()


class ReviewListV1Request(Body):
    """The deprecated one: its filter stands beside the limit, and knows two statuses."""

    limit: ReviewPage = 0
    last_id: str = ""
    sort_dir: Direction = "ASC"
    status: Literal["ALL", "UNPROCESSED", "PROCESSED"] = "ALL"


class ReviewInfoV2Request(Body):
    review_id: Annotated[str, Field(min_length=1)] = ""


class ReviewChangeStatusV2Request(Body):
    review_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=_MOST_CHANGES)] = ()
    status: Status


class CommentCreateRequest(ReviewInfoV2Request):
    text: Annotated[str, AfterValidator(_some_text)] = ""
    parent_comment_id: str = ""
    mark_review_as_processed: bool = False


class CommentListRequest(ReviewInfoV2Request):
    limit: ReviewPage = 0
    offset: Annotated[Whole, between(0, 2**31 - 1)] = 0
    sort_dir: Direction = "ASC"


def old_status(status: Status) -> str:
    return "PROCESSED" if status == "PROCESSED" else "UNPROCESSED"


_paid = partial(Method, needs_subscription=True)


class ReviewMethods:
    """By path: `table()`."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews

    def table(self) -> dict[str, Method]:
        return {
            "/v1/review/list": _paid(ReviewListV1Request, self._list_v1),
            "/v2/review/list": _paid(ReviewListV2Request, self._list),
            "/v2/review/info": _paid(ReviewInfoV2Request, self._info),
            "/v2/review/count": _paid(Body, self._count),
            "/v2/review/change-status": _paid(ReviewChangeStatusV2Request, self._change_status),
            "/v1/review/comment/create": _paid(CommentCreateRequest, self._create_comment),
            "/v1/review/comment/list": _paid(CommentListRequest, self._list_comments),
        }

    def _list(self, asked: ReviewListV2Request) -> dict[str, Any]:
        found = filter(asked.filters.match, self._onwards(asked))
        page = Page.of(found, asked.limit)
        return _page(page, [_listed(now) for now in page.items])

    def _list_v1(self, asked: ReviewListV1Request) -> dict[str, Any]:
        found = (now for now in self._onwards(asked) if asked.status in ("ALL", old_status(now.status)))
        page = Page.of(found, asked.limit)
        return _page(page, [_listed(now) | {"status": old_status(now.status)} for now in page.items])

    def _onwards(self, asked: ReviewListV2Request | ReviewListV1Request) -> Iterator[ReviewNow]:
        after = self._number(asked.last_id) if asked.last_id else None
        return map(self._reviews.now, onwards(self._reviews.all(), after, asked.sort_dir))

    def _number(self, last_id: str) -> int:
        try:
            return self._reviews.get(last_id).number
        except ApiError:
            raise invalid("Request validation error: invalid LastId: there is no such review") from None

    def _info(self, asked: ReviewInfoV2Request) -> dict[str, Any]:
        now = self._reviews.now(self._reviews.get(asked.review_id))
        return _listed(now) | _told(now.review)

    def _count(self, _asked: Body) -> dict[str, Any]:
        statuses = [now.status for now in self._reviews.every()]
        counts = {status.lower(): statuses.count(status) for status in ("NEW", "VIEWED", "PROCESSED")}
        return {"total": len(statuses)} | counts

    def _change_status(self, asked: ReviewChangeStatusV2Request) -> dict[str, Any]:
        self._reviews.mark(asked.review_ids, asked.status)
        return {}

    def _create_comment(self, asked: CommentCreateRequest) -> dict[str, Any]:
        comment_id = self._reviews.comment(
            asked.review_id, asked.text, asked.parent_comment_id, processed=asked.mark_review_as_processed
        )
        return {"comment_id": comment_id}

    def _list_comments(self, asked: CommentListRequest) -> dict[str, Any]:
        comments = self._reviews.now(self._reviews.get(asked.review_id)).comments
        ordered = comments if asked.sort_dir == "ASC" else comments[::-1]
        page = ordered[asked.offset : asked.offset + asked.limit]
        return {"comments": [_comment(comment) for comment in page], "offset": asked.offset}


def _page(page: Page[ReviewNow], shown: list[dict[str, Any]]) -> dict[str, Any]:
    return {"reviews": shown, "has_next": page.has_next, "last_id": shown[-1]["id"] if shown else ""}


def _listed(now: ReviewNow) -> dict[str, Any]:
    """The number of the product is a string in some, and a number in others."""
    review = now.review
    return {
        "id": review.id,
        "sku": str(review.product.sku) if review.sku_is_text else review.product.sku,
        "text": review.text,
        "published_at": rfc3339(review.published_at, "milliseconds"),
        "rating": review.rating,
        "status": now.status,
        "comments_amount": len(now.comments),
        "photos_amount": review.photos,
        "videos_amount": review.videos,
        "order_status": review.order_status,
        "is_rating_participant": review.is_rating_participant,
    }


def _told(review: Review) -> dict[str, Any]:
    """What only a single review tells."""
    at = f"https://media.invalid/{review.id}"
    photos = [{"url": f"{at}/{number}.jpg", "width": 1080, "height": 1440} for number in range(review.photos)]
    videos = [
        {
            "url": f"{at}/{number}.mp4",
            "preview_url": f"{at}/{number}.webp",
            "short_video_preview_url": f"{at}/{number}-short.webp",
            "width": 720,
            "height": 1280,
        }
        for number in range(review.videos)
    ]
    return {"likes_amount": review.likes, "dislikes_amount": review.dislikes, "photos": photos, "videos": videos}


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "text": comment.text,
        "parent_comment_id": comment.parent,
        "is_owner": True,
        "is_official": True,
        "is_published": True,
        "is_rejected": False,
        "deviation_reason": "",
        "likes_amount": 0,
        "dislikes_amount": 0,
        "published_at": rfc3339(comment.at, "milliseconds"),
    }
