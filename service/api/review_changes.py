"""Drafting another answer to a review, and publishing one: the same code for the API and the console."""

import time

from sqlalchemy.engine import Engine

from service.advice.checks.draft_check import describe, failed_checks
from service.advice.drafting import ANSWER_LENGTH
from service.advice.outcomes import DRAFTED, HELD
from service.advice.queue import AdviceQueue, review_for_prompt
from service.api.dependencies import RuntimeDependencies
from service.database.clock import utcnow
from service.database.tables import AdviceRow, ReviewRow
from service.integrations.marketplace import REJECTED, ReviewMarketplace
from service.reviews.correction import Corrector
from service.reviews.publishing import NotPublished, Publication, Publisher
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction


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
