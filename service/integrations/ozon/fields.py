"""Reads and validates the fields of Ozon's JSON. Errors name the field."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from service.integrations.marketplace import InvalidField
from telemetry.json_safe import json_safe, without_surrogates

Payload: TypeAlias = Mapping[str, Any]
Whitelist: TypeAlias = Mapping[str, "Whitelist | None"]
"""The names of fields that may be stored, with those of nested objects; None for a plain value."""

MAX_ID_LENGTH: Final = 100
_MAX_NAME_LENGTH: Final = 500
_MAX_VALUE_LENGTH: Final = 200
_MAX_ITEMS: Final = 50
_MIN_YEAR: Final = 2000  # Go writes the year 1 where there is no date
_SKU: Final = re.compile(r"[1-9][0-9]{0,19}")
_MONEY: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,20})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def text_field(payload: Payload, field: str, max_length: int = MAX_ID_LENGTH) -> str:
    """A required text. It is not cut, since a cut id is a different one."""
    value = payload.get(field)
    if not isinstance(value, str) or not 0 < len(text := without_surrogates(value).strip()) <= max_length:
        raise InvalidField(f"`{field}` must be a text of 1 to {max_length} characters.")
    return text


def optional_text_field(payload: Payload, field: str, max_length: int | None = _MAX_NAME_LENGTH) -> str:
    """A text, cut to a length; "" if it is missing or null."""
    if (value := payload.get(field)) is None:
        return ""
    if not isinstance(value, str):
        raise InvalidField(f"`{field}` must be a text.")
    return without_surrogates(value)[:max_length]


def sku_field(payload: Payload) -> str:
    """A product's sku, which some methods send as a number and some as a text."""
    value = payload.get("sku")
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _SKU.fullmatch(text):
        raise InvalidField("`sku` must be a positive whole number.")
    return text


def int_field(payload: Payload, field: str, minimum: int, maximum: int) -> int:
    """A whole number in a range, both ends included."""
    value = payload.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise InvalidField(f"`{field}` must be a whole number from {minimum} to {maximum}.")
    return value


def first_timestamp(row: Any, fields: Iterable[str]) -> datetime | None:
    """The timestamp of the first of these fields that has one; None if none can be read."""
    for field in fields if isinstance(row, Mapping) else ():
        with suppress(InvalidField):
            if (timestamp := optional_timestamp_field(row, field)) is not None:
                return timestamp
    return None


def optional_timestamp_field(payload: Payload, field: str) -> datetime | None:
    """A timestamp in UTC, also without an offset; None if it is missing, null, or of the year 1."""
    value = payload.get(field)
    if value is None or value == "":
        return None
    try:
        timestamp = datetime.fromisoformat(value)
        timestamp = timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        raise InvalidField(f"`{field}` must be a date and time.") from None
    return timestamp if timestamp.year >= _MIN_YEAR else None


def timestamp_field(payload: Payload, field: str) -> datetime:
    """A required timestamp in UTC."""
    if (timestamp := optional_timestamp_field(payload, field)) is None:
        raise InvalidField(f"`{field}` must be a date and time.")
    return timestamp


def price_field(product: Payload) -> tuple[Decimal, str]:
    """An amount and its currency: `{"amount", "currency"}`, or (until August 2026) `price` beside `currency_code`."""
    price = product.get("price")
    if isinstance(price, Mapping):
        return _money(price.get("amount")), _currency(price.get("currency"))
    return _money(price), _currency(product.get("currency_code"))


def _money(amount: object) -> Decimal:
    """Converted by its text: the repr of a float is what was sent, its binary value is not."""
    text = str(amount).strip() if isinstance(amount, str | int | float) and not isinstance(amount, bool) else ""
    if not _MONEY.fullmatch(text):
        raise InvalidField("`price` must be an amount of money.")
    return Decimal(text)


def _currency(code: object) -> str:
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise InvalidField("`price` must have a currency of three letters.")
    return code


def format_timestamp(timestamp: datetime) -> str:
    """A timestamp as Ozon writes it: `2026-11-23T09:00:00.000Z`."""
    return timestamp.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def id_or_none(payload: Payload, field: str) -> str | None:
    """The id of an invalid row, if it has one."""
    try:
        return text_field(payload, field)
    except InvalidField:
        return None


def whitelist(payload: Payload, allowed: Whitelist) -> dict[str, Any]:
    """The listed fields of an invalid row. A field that should be plain and is not becomes `<object>` or `<list>`."""
    return {name: _whitelisted(payload[name], inner) for name, inner in allowed.items() if name in payload}


def _whitelisted(value: object, inner: Whitelist | None) -> Any:
    if isinstance(value, Mapping):
        return whitelist(value, inner) if inner else "<object>"
    if isinstance(value, list):
        return (
            [whitelist(each, inner) for each in value[:_MAX_ITEMS] if isinstance(each, Mapping)] if inner else "<list>"
        )
    return without_surrogates(value)[:_MAX_VALUE_LENGTH] if isinstance(value, str) else json_safe(value)
