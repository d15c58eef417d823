"""Tells once of each answer that a marketplace rejects."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Engine

from service.names import AlertSection
from service.reviews.repository import ReviewRepository
from telemetry import semconv
from telemetry.alerts import AlertLevel
from telemetry.database import transaction

MAX_TOLD: Final = 1000
_MAX_NAMED: Final = 10
_MAX_REASON: Final = 200
_log = logging.getLogger(__name__)


def report_rejections(engine: Engine, marketplace: str, now: datetime) -> None:
    """Log a warning, which is an alert as well, for the answers that were rejected since the last one.

    After a crash between the warning and the commit they are told a second time.
    """
    with transaction(engine) as session:
        rejected = ReviewRepository(session).untold_rejections(marketplace, MAX_TOLD)
    if not rejected:
        return
    log_rejections(marketplace, rejected)
    with transaction(engine) as session:
        ReviewRepository(session).mark_rejections_told([number for number, _ in rejected], now)


def log_rejections(marketplace: str, rejected: Sequence[tuple[int, str | None]]) -> None:
    """`rejected` are the reviews, each with the reason."""
    _log.warning(
        "%s rejected %s. GET /api/v1/reviews?answer_state=rejected lists all; "
        "POST /api/v1/reviews/{id}/answer with a text corrects one, where the marketplace allows it.",
        marketplace,
        _named(rejected),
        extra={
            semconv.COMPONENT: marketplace,
            semconv.ALERT_LEVEL: str(AlertLevel.WARNING),
            semconv.ALERT_SECTION: str(AlertSection.ANSWER_REJECTED),
        },
    )


def _named(rejected: Sequence[tuple[int, str | None]]) -> str:
    review_ids = [number for number, _ in rejected]
    if len(rejected) == 1:
        [(number, reason)] = rejected
        return f"the answer to review {number}" + (f" ({reason[:_MAX_REASON]})" if reason else "")
    more = f" and {len(review_ids) - _MAX_NAMED} more" if len(review_ids) > _MAX_NAMED else ""
    return f"{len(review_ids)} answers, to the reviews {', '.join(map(str, review_ids[:_MAX_NAMED]))}{more}"
