"""The outcomes of a draft: a closed set of words, the draft itself, and the error that ends a run."""

from dataclasses import dataclass
from decimal import Decimal

from service.integrations.openai.errors import MAX_REASON_LENGTH, QuotaExhausted
from service.names import BROKEN_JSON, DRAFTED, EMPTY, FAILED, HTML, INCOMPLETE, REFUSED, TOO_LONG, UNSTRUCTURED

# Defined in names.py and integrations; imported from here with the draft.
__all__ = [
    "BROKEN_JSON",
    "DRAFTED",
    "EMPTY",
    "FAILED",
    "HTML",
    "INCOMPLETE",
    "MAX_REASON_LENGTH",
    "REFUSED",
    "TOO_LONG",
    "UNSTRUCTURED",
    "Draft",
    "QuotaExhausted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The result of one call of OpenAI that was answered.

    Attributes:
        outcome: `drafted`, or another word that says what went wrong.
        text: the answer to the review; None unless the outcome is `drafted`.
        model: the model that the response names, else the one of the request.
        input_tokens: None if the response does not tell.
        output_tokens: None if the response does not tell.
        cost_usd: None if the tokens or the prices of the model are unknown.
        reason: why there is no text, 500 characters at most; None if the outcome is `drafted`.
    """

    outcome: str
    text: str | None
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    reason: str | None
