"""POST /api/v1/reviews/{id}/advice and …/answer: draft another answer, and publish one. The console uses the same functions."""

import time
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Response
from sqlalchemy.engine import Engine

from service.advice.checks.draft_check import describe, failed_checks
from service.advice.drafting import ANSWER_LENGTH
from service.advice.outcomes import DRAFTED, HELD
from service.advice.queue import AdviceQueue, review_for_prompt
from service.api.auth import PUBLISHING_REQUIREMENT, require_configured_ops_token, require_ops_token
from service.api.dependencies import RuntimeDep, RuntimeDependencies
from service.api.edge.admission import admission, admit_action
from service.api.reviews import REVIEW_NOT_FOUND, ReviewId
from service.api.schemas.problem_schemas import FOREIGN_PAGE, INVALID, UNAUTHORIZED, Responses, problem_responses
from service.api.schemas.review_schemas import AdviceOut, AnswerIn, AnswerOut
from service.api.unknown_parameters import reject_unknown_parameters
from service.database.clock import utcnow
from service.database.tables import AdviceRow, ReviewRow
from service.integrations.marketplace import REJECTED, ReviewMarketplace
from service.reviews.correction import Corrector
from service.reviews.publishing import NotPublished, Publication, Publisher
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction

router = APIRouter(prefix="/api/v1/reviews", tags=["reviews"])
_KNOWN_ONLY: Final = Depends(reject_unknown_parameters)
_BOTH: Final = UNAUTHORIZED | REVIEW_NOT_FOUND | INVALID
_ADVICE_RESPONSES: Final = (
    _BOTH
    | FOREIGN_PAGE
    | problem_responses(
        {
            502: ("OpenAI failed or rejected the call.", "OpenAI is unavailable: the call timed out."),
            503: (
                "OpenAI is not configured or rate-limited, or the database is unavailable.",
                "OPENAI_API_KEY is not set.",
            ),
        }
    )
)
_ANSWER_RESPONSES: Final[Responses] = {
    202: {
        "model": AnswerOut,
        "description": "The marketplace accepted the answer and does not show it yet: `state` is `sent`.",
    },
    **_BOTH,
    **problem_responses(
        {
            403: ("The service has no `OPS_TOKEN`. This endpoint always needs it.", PUBLISHING_REQUIREMENT),
            409: (
                "Nothing was sent. There is an answer or no draft, a check holds the draft, or an answer is on its way.",
                "This review has an answer already, as the marketplace says.",
            ),
            502: (
                "The marketplace failed or rejected the call.",
                "wb is unavailable: /api/v1/feedbacks timed out.",
            ),
            503: (
                "The marketplace is not configured or rate-limited, or the database is unavailable.",
                "WB_API_TOKEN is not set.",
            ),
            504: (
                "The answer was sent, and the marketplace did not confirm it. Read the review before you try again.",
                "The answer was sent, and wb did not say whether it was accepted.",
            ),
        }
    ),
}


@router.post(
    "/{review_id}/advice",
    dependencies=[Depends(require_ops_token), _KNOWN_ONLY, admission(admit_action)],
    responses=_ADVICE_RESPONSES,
)
def draft_again(review_id: ReviewId, runtime: RuntimeDep) -> AdviceOut:
    """Draft another answer to a review.

    The response has the new draft; older ones are kept. Each draft is one call of the model, and costs as much.
    """
    return AdviceOut.model_validate(draft_another(runtime, review_id))


@router.post(
    "/{review_id}/answer",
    dependencies=[Depends(require_configured_ops_token), _KNOWN_ONLY, admission(admit_action)],
    responses=_ANSWER_RESPONSES,
)
def publish_answer(
    review_id: ReviewId, runtime: RuntimeDep, response: Response, answer: Annotated[AnswerIn | None, Body()] = None
) -> AnswerOut:
    """Publish an answer to a review on the marketplace.

    The answer is `text`, or else the newest draft. A review that has an answer gets no second one.

    A draft that fails a check is not published: 409 says why. A `text` is published as it is. An answer that the marketplace
    rejected is corrected by a `text`: once, within 60 days.
    """
    publication = publish_text(runtime, review_id, None if answer is None else answer.text)
    response.status_code = 202 if publication.state == "sent" else 200
    return AnswerOut(state=publication.state, text=publication.text)


def draft_another(runtime: RuntimeDependencies, review_id: int) -> AdviceRow:
    """Draft another answer to the review, now; the draft before it is kept. It costs what a draft costs.

    Raises:
        ReviewNotFound: no review has that id.
        CallError: OpenAI is unavailable or refuses.
    """
    row = _review(runtime.engines.requests, review_id)
    draft = runtime.interactive_clients.drafter.draft(review_for_prompt(row), ANSWER_LENGTH)
    with transaction(runtime.engines.requests) as session:
        return AdviceQueue(session).add_draft(review_id, draft, utcnow())


def publish_text(runtime: RuntimeDependencies, review_id: int, text: str | None) -> Publication:
    """Publish the text, or else the newest draft. An answer that the marketplace rejected is corrected.

    Raises:
        ReviewNotFound: no review has that id.
        Problem: see `Publisher.publish` and `Corrector.correct`.
        CallError: the marketplace is unavailable or refuses.
    """
    row = _review(runtime.engines.requests, review_id)
    return _publish(runtime.engines.requests, runtime.interactive_clients.reviews(row.marketplace), row, text)


def _publish(engine: Engine, marketplace: ReviewMarketplace, row: ReviewRow, text: str | None) -> Publication:
    if row.answer_state == REJECTED:
        return Corrector(engine, marketplace, utcnow, time.sleep).correct(row, text)
    text = _draft(engine, row) if text is None else text
    return Publisher(engine, marketplace, utcnow, time.sleep).publish(row, text)


def _review(engine: Engine, review_id: int) -> ReviewRow:
    with transaction(engine) as session:
        return ReviewRepository(session).get(review_id)


def _draft(engine: Engine, row: ReviewRow) -> str:
    """The newest draft. One from before an update is checked as well."""
    with transaction(engine) as session:
        advice = ReviewRepository(session).advice(row.id)
    if advice is None or advice.outcome not in {DRAFTED, HELD} or not advice.text:
        raise NotPublished("There is no draft for this review: send a `text`, or draft one by POST …/advice.")
    reasons = advice.failed_checks or failed_checks(advice.text, review_for_prompt(row), ANSWER_LENGTH)
    if advice.outcome == HELD or reasons:
        raise NotPublished(f"{describe(reasons)} Send a `text` of your own, or draft another one by POST …/advice.")
    return advice.text
