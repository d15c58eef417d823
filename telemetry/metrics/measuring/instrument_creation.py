"""Creates instruments without raising: one that the SDK refuses measures nothing, and one warning says which and why."""

import logging
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from telemetry.json_safe import to_text
from telemetry.redaction.policy import redact

T = TypeVar("T")
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_./-]+")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,254}")
_UNIT: Final = re.compile(r"[\x00-\x7f]{0,63}")
_MAX_REMEMBERED: Final = 1000
_refused: Final[set[str]] = set()
_log: Final = logging.getLogger(__name__)


class RefusedInstrument(ValueError):
    """No instrument can be created of these arguments."""


def create_or_refuse(
    create: Callable[[str, str, str], T], without: Callable[[str], T], name: Any, unit: Any, description: Any
) -> T:
    """What `create` makes of name, unit and description without secrets; what `without` makes if they are refused."""
    try:
        _check("name", name, _NAME, "a letter, then at most 254 ASCII letters, digits and _ . - /")
        unit = "" if unit is None else unit
        _check("unit", unit, _UNIT, "at most 63 ASCII characters")
        description = (
            "" if description is None else redact(description if isinstance(description, str) else to_text(description))
        )
        return create(_redacted_word(name), _redacted_word(unit), description)
    except Exception as error:  # noqa: BLE001  # an edge: whoever creates an instrument wants to work, and not to measure
        _warn_once(_shown(name), error)
        return without(name if isinstance(name, str) else "refused")


def _check(what: str, value: Any, allowed: re.Pattern[str], expected: str) -> None:
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise RefusedInstrument(f"its {what} {_shown(value)} is invalid, expected {expected}")


def _redacted_word(word: str) -> str:
    """A name or a unit without secrets. What replaces one has characters that these may have."""
    return word if (safe := redact(word)) == word else _NOT_IN_NAME.sub("_", safe)


def _shown(value: Any) -> str:
    return repr(redact(to_text(value)[:100]))


def _warn_once(name: str, error: Exception) -> None:
    reason = (
        error if isinstance(error, RefusedInstrument) else f"{type(error).__name__}: {redact(to_text(error)[:200])}"
    )
    if name not in _refused and len(_refused) < _MAX_REMEMBERED:
        _refused.add(name)
        _log.warning("Instrument %s measures nothing: %s. This is logged once.", name, reason)


def checked_callbacks(callbacks: Any) -> Sequence[Any] | None:
    """The callbacks as a list.

    Raises:
        RefusedInstrument: one can be neither called nor asked for its next observations.
    """
    if callbacks is None:
        return None
    if not isinstance(callbacks, Iterable) or isinstance(callbacks, str):
        raise RefusedInstrument(f"its callbacks are {_shown(callbacks)}, expected a list of functions")
    found = [*callbacks]
    for each in found:
        if not callable(each) and not hasattr(each, "send"):
            raise RefusedInstrument(f"its callback {_shown(each)} cannot be called")
    return found


def checked_bounds(bounds: Any) -> Any:
    """Bucket bounds in their order, each once. What no measurement is beyond or below is no bound: NaN, infinity, below 0."""
    is_sequence = isinstance(bounds, Sequence) and not isinstance(bounds, str)
    if not is_sequence or not all(isinstance(each, int | float) for each in bounds):
        return bounds  # none, or what the SDK ignores with a warning
    return sorted({number for each in bounds if math.isfinite(number := _as_float(each) + 0.0) and number >= 0})


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
