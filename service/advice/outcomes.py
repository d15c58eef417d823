"""Outcomes: what a draft comes to, in words of a closed set, and the one error that ends the asking."""

from dataclasses import dataclass
from decimal import Decimal

from service.integrations.openai.errors import MAX_REASON_LENGTH, QuotaExhausted
from service.names import BROKEN_JSON, DRAFTED, EMPTY, FAILED, HTML, INCOMPLETE, REFUSED, TOO_LONG, UNSTRUCTURED

# The words are spelled where they are stored and counted; whoever reads a draft finds them here.
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
    """What an asking came to.

    Attributes:
        text: the answer; None unless it was drafted.
        model: that answered, or that was asked where the answer does not say.
        input_tokens: None where the answer does not say; so are the output tokens.
        cost_usd: None where the tokens or the model's prices are not known.
        reason: why there is no text, in 500 characters at most; None when it was drafted.
    """

    outcome: str
    text: str | None
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    reason: str | None
