"""What is a number to the metrics: what an application measures becomes an int or a float at the door, or is refused there."""

import logging
import math
from numbers import Integral
from typing import Any, Final

from telemetry.failsafe import warn_once

PLAIN: Final = frozenset({int, float})
"""The types that need no look. (`True` is none of them: it is counted as 1.)"""
MAX_INTEGER: Final = 2**63 - 1
"""The largest integer that OTLP can hold."""
_log: Final = logging.getLogger(__name__)
_refused: Final[set[str]] = set()
_MAX_REMEMBERED: Final = 1000


class NotANumber(TypeError):
    """A value was measured that is no number, or is too large for a float."""


def plain_number(value: Any, lowest: float = -math.inf) -> int | float:
    """A `Decimal`, a fraction, a bool or a number of another library as an int or a float.

    An integer that OTLP cannot hold (64 bits) becomes a float.

    Raises:
        NotANumber: it is None, a text, a complex number, NaN, infinite, or below the lowest value that is allowed.
    """
    if not (hasattr(value, "__float__") or hasattr(value, "__index__")):  # `float` would also read texts and buffers
        raise NotANumber(_described(value))
    try:
        number = int(value) if isinstance(value, Integral) else float(value)
        number = number if -MAX_INTEGER <= number <= MAX_INTEGER else float(number)
    except (TypeError, ValueError, OverflowError, ArithmeticError):
        raise NotANumber(_described(value)) from None
    if not math.isfinite(number) or number < lowest:
        raise NotANumber(f"{number}, below {lowest}" if number < lowest else str(number))
    return number


def _described(value: object) -> str:
    return "None" if value is None else f"a value of the type {type(value).__name__}"


def refuse(instrument: str, error: Exception) -> None:
    """Say once for an instrument that a measurement was refused. Nothing of it reaches the code that measures."""
    if not isinstance(error, NotANumber):
        warn_once(f"measuring {instrument[:100]}")
        return
    if instrument not in _refused and len(_refused) < _MAX_REMEMBERED:
        _refused.add(instrument)
        _log.warning(
            "%s was given %s, which is no number that it can take: it is not measured. This is logged once.",
            instrument,
            error,
        )
