"""GET /api/v1/reviews and /api/v1/reviews/{id}: the stored reviews, and the drafts of answers."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.api.admission import admission, admit_query
from service.api.dependencies import RuntimeDep
from service.api.pagination import add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.api.review_schemas import AdviceOut, ReviewOut, ReviewsOut, ReviewsQuery, ReviewWithAdviceOut
from service.database.keyset import MAX_ID
from service.reviews.repository import ReviewFilter, ReviewRepository
from telemetry.database import transaction

router = APIRouter(
    prefix="/api/v1/reviews", tags=["reviews"], dependencies=[admission(admit_query)], responses={503: PROBLEM_RESPONSE}
)
ReviewId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("", responses={422: PROBLEM_RESPONSE})
def list_reviews(
    request: Request, response: Response, runtime: RuntimeDep, query: Annotated[ReviewsQuery, Query()]
) -> ReviewsOut:
    """Reviews, the newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    filters = ReviewFilter(**query.model_dump(exclude={"before", "limit"}))
    with transaction(runtime.engines.requests) as session:
        rows = ReviewRepository(session).page(filters, before=query.before, limit=query.limit)
    add_next_link(request, response, rows, query.limit)
    return ReviewsOut(reviews=[ReviewOut.model_validate(row) for row in rows])


@router.get("/{review_id}", responses={404: PROBLEM_RESPONSE, 422: PROBLEM_RESPONSE})
def read_review(review_id: ReviewId, runtime: RuntimeDep) -> ReviewWithAdviceOut:
    """One review, with the newest draft of an answer, or what went wrong with it."""
    with transaction(runtime.engines.requests) as session:
        reviews = ReviewRepository(session)
        row, advice = reviews.get(review_id), reviews.advice(review_id)
    review = ReviewOut.model_validate(row)
    return ReviewWithAdviceOut(**review.model_dump(), advice=AdviceOut.model_validate(advice) if advice else None)
