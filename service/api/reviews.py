"""GET /api/v1/reviews and /api/v1/reviews/{id}: reviews with the advice on them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.api.dependencies import DeskDep
from service.api.pagination import link_next
from service.api.problems import PROBLEM
from service.api.review_schemas import AdviceOut, ReviewOut, ReviewsOut, ReviewsQuery, ReviewWithAdviceOut
from service.database.keyset import LARGEST_ID
from service.reviews.repository import ReviewRepository, Wanted
from telemetry.database import transaction

router = APIRouter(prefix="/api/v1/reviews", tags=["reviews"])
ReviewId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", responses={422: PROBLEM})
def list_reviews(
    request: Request, response: Response, desk: DeskDep, query: Annotated[ReviewsQuery, Query()]
) -> ReviewsOut:
    """Reviews, the newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    wanted = Wanted(**query.model_dump(exclude={"before", "limit"}))
    with transaction(desk.engine) as session:
        rows = ReviewRepository(session).page(wanted, before=query.before, limit=query.limit)
    link_next(request, response, rows, query.limit)
    return ReviewsOut(reviews=[ReviewOut.model_validate(row) for row in rows])


@router.get("/{review_id}", responses={404: PROBLEM, 422: PROBLEM})
def read_review(review_id: ReviewId, desk: DeskDep) -> ReviewWithAdviceOut:
    """One review, with the newest draft of an answer, or what went wrong with it."""
    with transaction(desk.engine) as session:
        reviews = ReviewRepository(session)
        row, advice = reviews.get(review_id), reviews.advice(review_id)
    review = ReviewOut.model_validate(row)
    return ReviewWithAdviceOut(**review.model_dump(), advice=AdviceOut.model_validate(advice) if advice else None)
