"""Reading foreign JSON: a field as the type that it should have, or a sentence that names the field."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from service.integrations.pii import mask_pii
from telemetry.json_safe import Json, json_safe, without_surrogates

_CENT: Final = Decimal("0.01")
_LARGEST: Final = Decimal(10**12)
_TEXT: Final = 10_000
_BOUNDED: Final = 500


class UnreadableField(ValueError):
    """A field is missing, null or of another type; the message names it."""


def object_of(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnreadableField(f"the row is no object, but {_kind(value)}")
    return value


def part_of(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    if not isinstance(value, Mapping):
        raise _wrong(row, name, "an object")
    return value


def text_of(row: Mapping[str, Any], name: str, longest: int) -> str:
    """A text that is not empty."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(row, name, "a text")
    return without_surrogates(value)[:longest]


def number_text(row: Mapping[str, Any], name: str) -> str:
    """A whole number as text; marketplaces send it as a number or as a string."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:  # noqa: PLR2004  # 64 bits have 20 digits
        return value
    raise _wrong(row, name, "a whole number")


def opinion_of(row: Mapping[str, Any], name: str) -> str:
    """What a buyer wrote, without a buyer's telephone number or e-mail address; "" where there is nothing."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(row, name, "a text")
    return mask_pii(without_surrogates(value))[:_TEXT]


def optional_text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return without_surrogates(value)[:_BOUNDED] if isinstance(value, str) else ""


def flag_of(row: Mapping[str, Any], name: str) -> bool:
    if not isinstance(value := row.get(name), bool):
        raise _wrong(row, name, "true or false")
    return value


def rating_of(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 5:  # noqa: PLR2004  # stars
        raise _wrong(row, name, "a number from 1 to 5")
    return value


def moment_of(row: Mapping[str, Any], name: str, zone: tzinfo = UTC) -> datetime:
    """A moment in UTC; one without an offset is of the zone. Fractions may have any number of digits."""
    value = row.get(name)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(row, name, "a date and time")


def money_of(row: Mapping[str, Any], name: str) -> Decimal:
    """Roubles and kopecks, from a number or a text."""
    value = row.get(name)
    try:
        amount = (
            Decimal(str(value))
            if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool)
            else None
        )
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount < _LARGEST:
        raise _wrong(row, name, "an amount of money")
    return amount.quantize(_CENT)


def only(row: object, fields: frozenset[str]) -> dict[str, Json]:
    """The fields of a row that may be kept aside: nothing that is not on the list, or inside of one, may name a buyer."""
    return {name: _plain(row[name]) for name in sorted(fields) if name in row} if isinstance(row, Mapping) else {}


def _plain(value: object) -> Json:
    if isinstance(value, str):
        return mask_pii(without_surrogates(value))[:_TEXT]
    return _KINDS[type(value)] if isinstance(value, dict | list) else json_safe(value)


def identity_of(row: object, name: str) -> str | None:
    """What a row that cannot be read is called, when it says that at least."""
    value = row.get(name) if isinstance(row, Mapping) else None
    return without_surrogates(value)[:100] if isinstance(value, str) else None


def _wrong(row: Mapping[str, Any], name: str, wanted: str) -> UnreadableField:
    found = f"is {_kind(row[name])}" if name in row else "is missing"
    return UnreadableField(f"{name} {found}, but must be {wanted}")


_KINDS: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


def _kind(value: object) -> str:
    """The kind of a value, or a short number itself; never a text, which may be anybody's."""
    if value is None:
        return "null"
    return _KINDS.get(type(value)) or repr(value)[:40]
