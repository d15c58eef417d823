"""POST /api/v1/reviews/{id}/advice and …/answer: draft another answer, and publish one."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response

from service.api.admission import admission, admit_action
from service.api.auth import require_configured_ops_token, require_ops_token
from service.api.dependencies import RuntimeDep
from service.api.problems import PROBLEM_RESPONSE
from service.api.review_changes import draft_another, publish_text
from service.api.review_schemas import AdviceOut, AnswerIn, AnswerOut
from service.api.reviews import ReviewId

Responses = dict[int | str, dict[str, Any]]
router = APIRouter(prefix="/api/v1/reviews", tags=["reviews"])
_PROBLEM_RESPONSES: Responses = dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 422, 502, 503), PROBLEM_RESPONSE)
_ANSWER_RESPONSES: Responses = {
    **_PROBLEM_RESPONSES,
    202: {"model": AnswerOut},
    504: PROBLEM_RESPONSE,
}


@router.post(
    "/{review_id}/advice",
    dependencies=[Depends(require_ops_token), admission(admit_action)],
    responses=_PROBLEM_RESPONSES,
)
def draft_again(review_id: ReviewId, runtime: RuntimeDep) -> AdviceOut:
    """Draft another answer to the review, now; the draft before it is kept. It costs what a draft costs."""
    return AdviceOut.model_validate(draft_another(runtime, review_id))


@router.post(
    "/{review_id}/answer",
    dependencies=[Depends(require_configured_ops_token), admission(admit_action)],
    responses=_ANSWER_RESPONSES,
)
def publish_answer(
    review_id: ReviewId, runtime: RuntimeDep, response: Response, answer: Annotated[AnswerIn | None, Body()] = None
) -> AnswerOut:
    """Publish the given text, or else the newest draft, on the marketplace. A second answer is refused.

    A draft that fails a check is not published: 409 says why. A text of your own is published as it is. An answer that the
    marketplace rejected is corrected, by a given text alone: once, within 60 days.
    """
    publication = publish_text(runtime, review_id, None if answer is None else answer.text)
    response.status_code = 202 if publication.state == "sent" else 200
    return AnswerOut(state=publication.state, text=publication.text)
