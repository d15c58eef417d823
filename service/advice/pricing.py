"""Token usage of a call, and its cost by the prices in the package genai-prices.

The prices are data of the installed package: nothing is fetched, and they are as recent as its version.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Self

from genai_prices import Usage, calc_price

from service.names import OPENAI

_log = logging.getLogger(__name__)
_EMPTY: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call. Those read from and written to the cache are part of the input, and have their own prices."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0

    @classmethod
    def from_response(cls, usage: object) -> Self | None:
        """Parse the field `usage` of a response. Invalid numbers count as 0, and no part exceeds the whole.

        Returns:
            None if the field is no object.
        """
        if not isinstance(usage, Mapping):
            return None
        details = usage.get("input_tokens_details")
        details = details if isinstance(details, Mapping) else _EMPTY
        input_tokens = _count(usage.get("input_tokens"))
        cache_read = min(input_tokens, _count(details.get("cached_tokens")))
        cache_write = min(input_tokens - cache_read, _count(details.get("cache_write_tokens")))
        return cls(input_tokens, _count(usage.get("output_tokens")), cache_read, cache_write)


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def cost_usd(model: str, usage: TokenUsage) -> Decimal | None:
    """The cost of a call in US dollars.

    Returns:
        None if the prices of the model are unknown. A warning says so once for each model.
    """
    priced = Usage(
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output,
    )
    try:
        return calc_price(priced, model, provider_id=OPENAI).total_price
    except LookupError:
        _warn_unknown_model(model)
        return None


@cache
def _warn_unknown_model(model: str) -> None:
    _log.warning("No price is known for the model %s: its tokens are counted, but not its cost.", model)
