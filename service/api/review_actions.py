"""POST /api/v1/reviews/{id}/advice and …/answer: draft another answer, and publish one. The console uses the same functions."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from sqlalchemy.engine import Engine

from service.advice.checks.draft_check import describe, failed_checks
from service.advice.drafting import ANSWER_LENGTH
from service.advice.outcomes import DRAFTED, HELD
from service.advice.queue import AdviceQueue, review_for_prompt
from service.api.admission import admission, admit_action
from service.api.auth import require_configured_ops_token, require_ops_token
from service.api.dependencies import RuntimeDep, RuntimeDependencies
from service.api.problems import PROBLEM_RESPONSE
from service.api.review_schemas import AdviceOut, AnswerIn, AnswerOut
from service.api.reviews import ReviewId
from service.database.clock import utcnow
from service.database.tables import AdviceRow, ReviewRow
from service.integrations.marketplace import REJECTED, ReviewMarketplace
from service.reviews.correction import Corrector
from service.reviews.publishing import NotPublished, Publication, Publisher
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction

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
