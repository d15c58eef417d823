"""GET /api/v1/reviews and /api/v1/reviews/{id}: the stored reviews, and the drafts of answers."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from service.api.dependencies import RuntimeDep
from service.api.edge.admission import admission, admit_query
from service.api.schemas.pagination import NEXT_PAGE, add_next_link
from service.api.schemas.parameters import RowId
from service.api.schemas.problem_schemas import INVALID, UNAVAILABLE, problem_responses
from service.api.schemas.review_schemas import AdviceOut, ReviewOut, ReviewsOut, ReviewsQuery, ReviewWithAdviceOut
from service.reviews.repository import ReviewFilter, ReviewRepository
from telemetry.database import transaction

router = APIRouter(
    prefix="/api/v1/reviews", tags=["reviews"], dependencies=[admission(admit_query)], responses=UNAVAILABLE
)
REVIEW_NOT_FOUND: Final = problem_responses(
    {404: ("No review has this id.", "There is no review 77; /api/v1/reviews lists what there is.")}
)
ReviewId = Annotated[RowId, Path(description="The id of the review, as the list shows it.", examples=[77])]


@router.get("", responses=NEXT_PAGE | INVALID)
def list_reviews(
    request: Request, response: Response, runtime: RuntimeDep, query: Annotated[ReviewsQuery, Query()]
) -> ReviewsOut:
    """List the stored reviews.

    Newest first, of all marketplaces or of those that the filters select. Drafts are in the single review.
    """
    filters = ReviewFilter(**query.model_dump(exclude={"before", "limit"}))
    with transaction(runtime.engines.requests) as session:
        rows = ReviewRepository(session).page(filters, before=query.before, limit=query.limit)
    add_next_link(request, response, rows, query.limit)
    return ReviewsOut(reviews=[ReviewOut.model_validate(row) for row in rows])


@router.get("/{review_id}", responses=INVALID | REVIEW_NOT_FOUND)
def read_review(review_id: ReviewId, runtime: RuntimeDep) -> ReviewWithAdviceOut:
    """Read one review.

    With the newest draft of an answer, or what went wrong with it.
    """
    with transaction(runtime.engines.requests) as session:
        reviews = ReviewRepository(session)
        row, advice = reviews.get(review_id), reviews.advice(review_id)
    review = ReviewOut.model_validate(row)
    return ReviewWithAdviceOut(**review.model_dump(), advice=AdviceOut.model_validate(advice) if advice else None)
