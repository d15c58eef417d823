"""Fields: what stands in Ozon's JSON, taken as what it should be, or refused by name."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from telemetry.json_safe import json_safe, without_surrogates

Payload: TypeAlias = Mapping[str, Any]
Allowed: TypeAlias = Mapping[str, "Allowed | None"]
"""The names of fields that may be kept, and of those within them; None for a plain value."""

LONGEST_ID: Final = 100
_LONGEST_NAME: Final = 500
_LONGEST_KEPT: Final = 200
_MOST_KEPT: Final = 50
_FIRST_YEAR: Final = 2000  # Go writes the year 1 where there is no date
_SKU: Final = re.compile(r"[1-9][0-9]{0,19}")
_MONEY: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,20})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class Malformed(ValueError):
    """A field is missing, null or of another type. The message names it, and never says what stood there."""


def text_in(payload: Payload, field: str, longest: int = LONGEST_ID) -> str:
    """A text that must be there; a key is not cut, since a cut one is another one."""
    found = payload.get(field)
    if not isinstance(found, str) or not 0 < len(text := without_surrogates(found).strip()) <= longest:
        raise Malformed(f"`{field}` must be a text of 1 to {longest} characters.")
    return text


def optional_text_in(payload: Payload, field: str, longest: int | None = _LONGEST_NAME) -> str:
    """A text that may be missing or null, which is "" here."""
    if (found := payload.get(field)) is None:
        return ""
    if not isinstance(found, str):
        raise Malformed(f"`{field}` must be a text.")
    return without_surrogates(found)[:longest]


def sku_in(payload: Payload) -> str:
    """A number, which some methods print as a text."""
    found = payload.get("sku")
    text = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(text, str) or not _SKU.fullmatch(text):
        raise Malformed("`sku` must be a positive whole number.")
    return text


def whole_in(payload: Payload, field: str, lowest: int, highest: int) -> int:
    found = payload.get(field)
    if not isinstance(found, int) or isinstance(found, bool) or not lowest <= found <= highest:
        raise Malformed(f"`{field}` must be a whole number from {lowest} to {highest}.")
    return found


def optional_moment_in(payload: Payload, field: str) -> datetime | None:
    """A date in UTC, which it also is where it has no offset; None where it is missing, null, or of the year 1."""
    found = payload.get(field)
    if found is None or found == "":
        return None
    try:
        moment = datetime.fromisoformat(found)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        raise Malformed(f"`{field}` must be a date and time.") from None
    return moment if moment.year >= _FIRST_YEAR else None


def moment_in(payload: Payload, field: str) -> datetime:
    if (moment := optional_moment_in(payload, field)) is None:
        raise Malformed(f"`{field}` must be a date and time.")
    return moment


def price_in(product: Payload) -> tuple[Decimal, str]:
    """An amount and its currency: `{"amount", "currency"}`, or as it was until August 2026, a text beside a code."""
    price = product.get("price")
    if isinstance(price, Mapping):
        return _money(price.get("amount")), _currency(price.get("currency"))
    return _money(price), _currency(product.get("currency_code"))


def _money(amount: object) -> Decimal:
    """By its text: what a float shows is what was sent, and what it holds is not."""
    text = str(amount).strip() if isinstance(amount, str | int | float) and not isinstance(amount, bool) else ""
    if not _MONEY.fullmatch(text):
        raise Malformed("`price` must be an amount of money.")
    return Decimal(text)


def _currency(code: object) -> str:
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise Malformed("`price` must have a currency of three letters.")
    return code


def stamp(moment: datetime) -> str:
    """A moment as Ozon writes it: `2026-11-23T09:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def id_in(payload: Payload, field: str) -> str | None:
    """The key of a row that can't be read otherwise."""
    try:
        return text_in(payload, field)
    except Malformed:
        return None


def kept(payload: Payload, allowed: Allowed) -> dict[str, Any]:
    """What may be kept of a row: of a field that should be plain and is not, only that it was there."""
    return {name: _kept(payload[name], inner) for name, inner in allowed.items() if name in payload}


def _kept(value: object, inner: Allowed | None) -> Any:
    if isinstance(value, Mapping):
        return kept(value, inner) if inner else "<object>"
    if isinstance(value, list):
        return [kept(each, inner) for each in value[:_MOST_KEPT] if isinstance(each, Mapping)] if inner else "<list>"
    return without_surrogates(value)[:_LONGEST_KEPT] if isinstance(value, str) else json_safe(value)
