"""The models of the fake OpenAI: their reasoning effort, and the date of their shutdown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

CONTEXT_TOKENS: Final = 400_000  # tokens
_GPT_5_END: Final = date(2026, 12, 11)
_GPT_4_END: Final = date(2027, 1, 14)
_SHUT_DOWN: Final = date(2026, 10, 23)
_SNAPSHOT: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")
# The reasoning tokens of one response, the same for every question.
REASONING_TOKENS: Final[Mapping[str, int]] = {
    "none": 0, "minimal": 16, "low": 64, "medium": 256, "high": 1024, "xhigh": 2048, "max": 4096,
}  # fmt: skip

LONG_REASONING: Final = 5_000
"""Tokens of a model that reasons for long: more than many limits of a response allow."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model.

    Attributes:
        ends: the date of its shutdown.
        effort: the default reasoning effort; None for a model without reasoning.
    """

    ends: date | None = None
    effort: str | None = "none"

    @property
    def always_reasons(self) -> bool:
        return self.effort not in {None, "none"}


MODELS: Final[Mapping[str, Model]] = {
    **dict.fromkeys(("gpt-6-sol", "gpt-6-luna", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5"), Model()),
    **dict.fromkeys(("gpt-5.4", "gpt-5.4-mini", "gpt-5.2"), Model()),
    **dict.fromkeys(("gpt-5.1", "gpt-5.4-nano"), Model(date(2027, 4, 1))),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "o3"), Model(_GPT_5_END, "medium")),
    **dict.fromkeys(("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"), Model(_GPT_4_END, None)),
    **dict.fromkeys(("gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-4.1-nano"), Model(_SHUT_DOWN, None)),
    **dict.fromkeys(("o4-mini", "o3-mini"), Model(_SHUT_DOWN, "medium")),
}


def find_model(name: str, today: date) -> Model | None:
    """The model of a name or of a snapshot such as `gpt-5.4-mini-2026-03-17`; None if it is unknown or shut down."""
    model = MODELS.get(_SNAPSHOT.sub("", name))
    return None if model is None or (model.ends is not None and today >= model.ends) else model


def model_payload(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_735_689_600, "owned_by": "system"}
