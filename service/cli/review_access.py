"""The check of `doctor` whether the seller may read reviews of Ozon, and whether their job is switched off."""

from sqlalchemy.engine import Engine

from service.integrations.http.client import ApiClient
from service.integrations.http.errors import SubscriptionMissing
from service.integrations.ozon.credentials import check_review_access
from service.jobs.suspension import suspensions

_JOB = "sync_ozon_reviews"


class NotAvailable(Exception):  # the message is a sentence for the operator
    """What is checked is not there, and need not be."""


def describe_review_access(ozon: ApiClient, engine: Engine) -> str:
    """Ask Ozon for reviews.

    Raises:
        NotAvailable: the seller's subscription does not include reviews, which a seller may do without.
        CallError: Ozon rejects the key, or is unreachable.
    """
    try:
        check_review_access(ozon)
    except SubscriptionMissing as error:
        raise NotAvailable(f"{_JOB} is switched off, and retried daily: {error}") from None
    if _JOB in suspensions(engine):
        return f"can be read; {_JOB} is still switched off: `run-job {_JOB}` switches it on"
    return "can be read"
