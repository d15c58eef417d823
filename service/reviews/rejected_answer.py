"""Sends an alert about an answer that the marketplace has rejected."""

import logging

from service.integrations.marketplace import REJECTED, InvalidPayload, Review

_log = logging.getLogger(__name__)


def report_rejection(review: Review | InvalidPayload) -> None:
    """Log an error, which sends the alert, if the answer to the review was rejected.

    To be called where a rejection is seen for the first time, so that each is sent once.
    """
    if isinstance(review, Review) and review.answer_state == REJECTED:
        _log.error(
            "The answer to review %s was rejected and is not shown: %s",
            review.external_id,
            review.answer_reason or "no reason is given",
            extra={"component": review.marketplace},
        )
