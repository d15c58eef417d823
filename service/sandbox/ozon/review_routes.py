"""The methods of reviews: models of the bodies, filters, and responses."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from service.sandbox.ozon.errors import ApiError, invalid
from service.sandbox.ozon.method import Body, Direction, Method, ReviewPage, Timestamp, WholeNumber, in_range, rfc3339
from service.sandbox.ozon.moderation import ListedComment
from service.sandbox.ozon.pagination import KeysetPage, items_after
from service.sandbox.ozon.review_model import SimulatedReview, Status
from service.sandbox.ozon.review_store import ReviewState, ReviewStore

_MAX_TEXT_LENGTH: Final = 3000
_MAX_SKUS: Final = 1000
_MAX_REVIEW_IDS: Final = 100


def _require_length(text: str) -> str:
    if not text.strip() or len(text) > _MAX_TEXT_LENGTH:
        raise PydanticCustomError("text", f"value length must be between 1 and {_MAX_TEXT_LENGTH} runes, inclusive")
    return text


class ReviewFilters(Body):
    status: Literal["ALL"] | Status = "ALL"
    order_status: Literal["ALL", "DELIVERED", "CANCELLED"] = "ALL"
    skus: Annotated[tuple[int, ...], Field(max_length=_MAX_SKUS)] = ()
    published_from: Timestamp | None = None
    published_to: Timestamp | None = None

    def match(self, state: ReviewState) -> bool:
        review = state.review
        return (
            self.status in ("ALL", state.status)
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
    """The deprecated version: its filter is a field of the body, and has two statuses."""

    limit: ReviewPage = 0
    last_id: str = ""
    sort_dir: Direction = "ASC"
    status: Literal["ALL", "UNPROCESSED", "PROCESSED"] = "ALL"


class ReviewInfoV2Request(Body):
    review_id: Annotated[str, Field(min_length=1)] = ""


class ReviewChangeStatusV2Request(Body):
    review_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=_MAX_REVIEW_IDS)] = ()
    status: Status


class CommentCreateRequest(ReviewInfoV2Request):
    text: Annotated[str, AfterValidator(_require_length)] = ""
    parent_comment_id: str = ""
    mark_review_as_processed: bool = False


class CommentListRequest(ReviewInfoV2Request):
    limit: ReviewPage = 0
    offset: Annotated[WholeNumber, in_range(0, 2**31 - 1)] = 0
    sort_dir: Direction = "ASC"


def v1_status(status: Status) -> str:
    return "PROCESSED" if status == "PROCESSED" else "UNPROCESSED"


_subscription_method = partial(Method, needs_subscription=True)


class ReviewMethods:
    """The methods of reviews, by path."""

    def __init__(self, reviews: ReviewStore) -> None:
        self._reviews = reviews

    def methods(self) -> dict[str, Method]:
        return {
            "/v1/review/list": _subscription_method(ReviewListV1Request, self._list_v1),
            "/v2/review/list": _subscription_method(ReviewListV2Request, self._list),
            "/v2/review/info": _subscription_method(ReviewInfoV2Request, self._info),
            "/v2/review/count": _subscription_method(Body, self._count),
            "/v2/review/change-status": _subscription_method(ReviewChangeStatusV2Request, self._change_status),
            "/v1/review/comment/create": _subscription_method(CommentCreateRequest, self._create_comment),
            "/v1/review/comment/list": _subscription_method(CommentListRequest, self._list_comments),
        }

    def _list(self, request: ReviewListV2Request) -> dict[str, Any]:
        matches = filter(request.filters.match, self._states_after(request))
        page = KeysetPage.first(matches, request.limit)
        return _page(page, [_list_item(state) for state in page.items])

    def _list_v1(self, request: ReviewListV1Request) -> dict[str, Any]:
        matches = (state for state in self._states_after(request) if request.status in ("ALL", v1_status(state.status)))
        page = KeysetPage.first(matches, request.limit)
        return _page(page, [_list_item(state) | {"status": v1_status(state.status)} for state in page.items])

    def _states_after(self, request: ReviewListV2Request | ReviewListV1Request) -> Iterator[ReviewState]:
        after = self._number(request.last_id) if request.last_id else None
        return map(self._reviews.state, items_after(self._reviews.all(), after, request.sort_dir))

    def _number(self, last_id: str) -> int:
        try:
            return self._reviews.get(last_id).number
        except ApiError:
            raise invalid("Request validation error: invalid LastId: there is no such review") from None

    def _info(self, request: ReviewInfoV2Request) -> dict[str, Any]:
        state = self._reviews.state(self._reviews.get(request.review_id))
        return _list_item(state) | _details(state.review)

    def _count(self, _request: Body) -> dict[str, Any]:
        statuses = [state.status for state in self._reviews.states()]
        counts = {status.lower(): statuses.count(status) for status in ("NEW", "VIEWED", "PROCESSED")}
        return {"total": len(statuses)} | counts

    def _change_status(self, request: ReviewChangeStatusV2Request) -> dict[str, Any]:
        self._reviews.set_status(request.review_ids, request.status)
        return {}

    def _create_comment(self, request: CommentCreateRequest) -> dict[str, Any]:
        comment_id = self._reviews.add_comment(
            request.review_id, request.text, request.parent_comment_id, processed=request.mark_review_as_processed
        )
        return {"comment_id": comment_id}

    def _list_comments(self, request: CommentListRequest) -> dict[str, Any]:
        comments = self._reviews.state(self._reviews.get(request.review_id)).comments
        ordered = comments if request.sort_dir == "ASC" else comments[::-1]
        page = ordered[request.offset : request.offset + request.limit]
        return {"comments": [_comment(comment) for comment in page], "offset": request.offset}


def _page(page: KeysetPage[ReviewState], payloads: list[dict[str, Any]]) -> dict[str, Any]:
    return {"reviews": payloads, "has_next": page.has_next, "last_id": payloads[-1]["id"] if payloads else ""}


def _list_item(state: ReviewState) -> dict[str, Any]:
    """The fields in lists."""
    review = state.review
    return {
        "id": review.id,
        "sku": review.product.sku,
        "text": review.text,
        "published_at": rfc3339(review.published_at, "milliseconds"),
        "rating": review.rating,
        "status": state.status,
        "comments_amount": state.published,
        "photos_amount": review.photos,
        "videos_amount": review.videos,
        "order_status": review.order_status,
        "is_rating_participant": review.is_rating_participant,
    }


def _details(review: SimulatedReview) -> dict[str, Any]:
    """The further fields of a single review."""
    url = f"https://media.invalid/{review.id}"
    photos = [{"url": f"{url}/{number}.jpg", "width": 1080, "height": 1440} for number in range(review.photos)]
    videos = [
        {
            "url": f"{url}/{number}.mp4",
            "preview_url": f"{url}/{number}.webp",
            "short_video_preview_url": f"{url}/{number}-short.webp",
            "width": 720,
            "height": 1280,
        }
        for number in range(review.videos)
    ]
    return {"likes_amount": review.likes, "dislikes_amount": review.dislikes, "photos": photos, "videos": videos}


def _comment(listed: ListedComment) -> dict[str, Any]:
    comment = listed.comment
    return {
        "id": comment.id,
        "text": comment.text,
        "parent_comment_id": comment.parent,
        "is_owner": True,
        "is_official": True,
        "is_published": listed.is_published,
        "is_rejected": bool(listed.deviation_reason),
        "deviation_reason": listed.deviation_reason,
        "likes_amount": 0,
        "dislikes_amount": 0,
        "published_at": rfc3339(comment.at, "milliseconds"),
    }
