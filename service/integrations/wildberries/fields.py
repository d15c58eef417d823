"""Reads and validates the fields of Wildberries' JSON. Errors name the field."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from service.integrations.marketplace import InvalidField
from service.integrations.pii import mask_pii
from telemetry.json_safe import Json, json_safe, without_surrogates

_CENT: Final = Decimal("0.01")
_MAX_MONEY: Final = Decimal(10**12)
_MAX_TEXT_LENGTH: Final = 10_000
_MAX_SHORT_TEXT_LENGTH: Final = 500


def require_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidField(f"the row is no object, but {_type_name(value)}")
    return value


def object_field(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    if not isinstance(value, Mapping):
        raise _invalid(row, name, "an object")
    return value


def text_field(row: Mapping[str, Any], name: str, max_length: int) -> str:
    """A text that is not empty, cut to a length."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _invalid(row, name, "a text")
    return without_surrogates(value)[:max_length]


def digits_field(row: Mapping[str, Any], name: str) -> str:
    """A whole number as text. Marketplaces send it as a number or as a string."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:  # noqa: PLR2004  # 64 bits have 20 digits
        return value
    raise _invalid(row, name, "a whole number")


def free_text_field(row: Mapping[str, Any], name: str) -> str:
    """A buyer's text, with phone numbers and e-mail addresses masked; "" if it is missing."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(row, name, "a text")
    return mask_pii(without_surrogates(value))[:_MAX_TEXT_LENGTH]


def optional_text_field(row: Mapping[str, Any], name: str) -> str:
    """A short text; "" if it is missing or not a text."""
    value = row.get(name)
    return without_surrogates(value)[:_MAX_SHORT_TEXT_LENGTH] if isinstance(value, str) else ""


def bool_field(row: Mapping[str, Any], name: str) -> bool:
    if not isinstance(value := row.get(name), bool):
        raise _invalid(row, name, "true or false")
    return value


def rating_field(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 5:  # noqa: PLR2004  # stars
        raise _invalid(row, name, "a number from 1 to 5")
    return value


def timestamp_field(row: Mapping[str, Any], name: str, zone: tzinfo = UTC) -> datetime:
    """A timestamp in UTC. Without an offset it is in `zone`. Fractions may have any number of digits."""
    value = row.get(name)
    try:
        timestamp = datetime.fromisoformat(value) if isinstance(value, str) else None
        if timestamp is not None:
            return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _invalid(row, name, "a date and time")


def money_field(row: Mapping[str, Any], name: str) -> Decimal:
    """An amount in roubles with kopecks, from a number or a text."""
    value = row.get(name)
    try:
        amount = (
            Decimal(str(value))
            if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool)
            else None
        )
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount < _MAX_MONEY:
        raise _invalid(row, name, "an amount of money")
    return amount.quantize(_CENT)


def whitelist(row: object, fields: frozenset[str]) -> dict[str, Json]:
    """The listed plain fields of an invalid row, with texts masked. Anything else may identify the buyer."""
    return {name: _safe_value(row[name]) for name in sorted(fields) if name in row} if isinstance(row, Mapping) else {}


def _safe_value(value: object) -> Json:
    if isinstance(value, str):
        return mask_pii(without_surrogates(value))[:_MAX_TEXT_LENGTH]
    return _TYPE_NAMES[type(value)] if isinstance(value, dict | list) else json_safe(value)


def id_or_none(row: object, name: str) -> str | None:
    """The id of an invalid row, if it has one."""
    value = row.get(name) if isinstance(row, Mapping) else None
    return without_surrogates(value)[:100] if isinstance(value, str) else None


def _invalid(row: Mapping[str, Any], name: str, expected: str) -> InvalidField:
    actual = f"is {_type_name(row[name])}" if name in row else "is missing"
    return InvalidField(f"{name} {actual}, but must be {expected}")


_TYPE_NAMES: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


def _type_name(value: object) -> str:
    """The type of a value, or the number itself, shortened. Never a text, which may be personal data."""
    if value is None:
        return "null"
    return _TYPE_NAMES.get(type(value)) or repr(value)[:40]
