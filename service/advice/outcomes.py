"""The outcomes of a draft: a closed set of words, the draft itself, and the error that ends a run."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from service.integrations.http.errors import CallError
from service.integrations.openai.errors import MAX_REASON_LENGTH, QuotaExhausted
from service.names import BROKEN_JSON, DRAFTED, EMPTY, FAILED, HELD, HTML, INCOMPLETE, REFUSED, UNSTRUCTURED

# Defined in names.py and integrations; imported from here with the draft.
__all__ = [
    "BROKEN_JSON",
    "DRAFTED",
    "EMPTY",
    "FAILED",
    "HELD",
    "HTML",
    "INCOMPLETE",
    "MAX_REASON_LENGTH",
    "REFUSED",
    "UNSTRUCTURED",
    "Draft",
    "QuotaExhausted",
    "refusal",
]
Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The result of asking OpenAI once for an answer: of one call, or of two if the first was cut.

    Attributes:
        outcome: `drafted`; `held` if the answer fails a check; or another word that says what went wrong.
        text: the answer to the review; None unless the outcome is `drafted` or `held`.
        model: the model that the response names, else the one of the request.
        input_tokens: None if the response does not tell.
        output_tokens: None if the response does not tell.
        cost_usd: None if the tokens or the prices of the model are unknown.
        reason: why there is no text, or why it is held, 500 characters at most; None if the outcome is `drafted`.
        failed_checks: the checks of `names.CHECKS` that hold the draft.
    """

    outcome: str
    text: str | None
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    reason: str | None
    failed_checks: tuple[str, ...] = ()

    def after(self, first: "Draft") -> "Draft":
        """This draft, with what was paid for the one before it, too."""
        return replace(
            self,
            input_tokens=_sum(first.input_tokens, self.input_tokens),
            output_tokens=_sum(first.output_tokens, self.output_tokens),
            cost_usd=_sum(first.cost_usd, self.cost_usd),
        )


def refusal(model: str, error: CallError) -> Draft:
    """The draft that did not come about, because the review was refused, which costs nothing."""
    return Draft(
        outcome=REFUSED,
        text=None,
        model=model,
        input_tokens=None,
        output_tokens=None,
        cost_usd=Decimal(0),
        reason=str(error)[:MAX_REASON_LENGTH],
    )


def _sum(first: Number | None, second: Number | None) -> Number | None:
    """None only if both are unknown."""
    if first is None or second is None:
        return second if first is None else first
    return first + second
