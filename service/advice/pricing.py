"""Money: what a call has used, and what that costs by the prices that come with the package genai-prices.

Its prices are data of the installed version: nothing is fetched, and they are as new as the package.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Self

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from service.names import OPENAI

_log = logging.getLogger(__name__)
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. The cached ones, and those written to the cache, are part of the input, and have prices of their own."""

    input: int
    output: int
    cached: int = 0
    written: int = 0

    @classmethod
    def of(cls, usage: object) -> Self | None:
        """From the field `usage` of a response. What makes no sense there is nothing, and no part exceeds the whole."""
        if not isinstance(usage, Mapping):
            return None
        details = usage.get("input_tokens_details")
        details = details if isinstance(details, Mapping) else _NOTHING
        tokens = _count(usage.get("input_tokens"))
        cached = min(tokens, _count(details.get("cached_tokens")))
        written = min(tokens - cached, _count(details.get("cache_write_tokens")))
        return cls(tokens, _count(usage.get("output_tokens")), cached, written)


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def cost_of(model: str, usage: Usage) -> Decimal | None:
    """US dollars; None for a model whose prices are not known, which is said once for each model."""
    used = PricedUsage(
        input_tokens=usage.input,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.written,
        output_tokens=usage.output,
    )
    try:
        return calc_price(used, model, provider_id=OPENAI).total_price
    except LookupError:
        _say_unknown(model)
        return None


@cache
def _say_unknown(model: str) -> None:
    _log.warning("The prices of the model %s are not known: its tokens are counted, and its money is not.", model)
