"""Parses postings of Ozon, of every scheme, to orders."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from service.integrations.marketplace import InvalidField, InvalidPayload, Item, Order
from service.integrations.ozon.fields import (
    MAX_ID_LENGTH,
    Payload,
    Whitelist,
    id_or_none,
    int_field,
    optional_text_field,
    optional_timestamp_field,
    price_field,
    sku_field,
    text_field,
    whitelist,
)
from service.names import OZON

_CANCELLED: Final = "cancelled"
# In this order: a posting whose payment is late has no `in_process_at`.
_DATE_FIELDS: Final = ("in_process_at", "created_at", "shipment_date", "shipment_date_without_delay")
_MAX_STATUS_LENGTH: Final = 50
_MAX_PIECES: Final = 1_000_000
_MAX_MONEY: Final = Decimal(10) ** 12
_PRODUCT_WHITELIST: Final[Whitelist] = {
    **dict.fromkeys(("sku", "offer_id", "name", "quantity", "currency_code")),
    "price": {"amount": None, "currency": None},
}
_WHITELIST: Final[Whitelist] = {
    **dict.fromkeys(("posting_number", "order_id", "order_number", "status", "substatus", *_DATE_FIELDS)),
    "products": _PRODUCT_WHITELIST,
}


def parse_order(payload: object, scheme: str, as_of: datetime) -> Order | InvalidPayload:
    """Parse one posting, without personal data of its buyer."""
    if not isinstance(payload, Mapping):
        return InvalidPayload(external_id=None, reason="The posting is no JSON object.", payload={})
    try:
        return _order(payload, scheme, as_of)
    except InvalidField as error:
        return InvalidPayload(
            external_id=id_or_none(payload, "posting_number"), reason=str(error), payload=whitelist(payload, _WHITELIST)
        )


def _order(payload: Payload, scheme: str, as_of: datetime) -> Order:
    number, status = text_field(payload, "posting_number"), text_field(payload, "status", _MAX_STATUS_LENGTH)
    return Order(
        marketplace=OZON,
        external_id=number,
        order_number=optional_text_field(payload, "order_number", MAX_ID_LENGTH) or _order_number(number),
        scheme=scheme,
        ordered_at=_ordered_at(payload),
        status=status,
        cancelled=status.lower() == _CANCELLED,
        cancelled_at=None,  # Ozon does not say when
        items=_items(payload),
        as_of=as_of,
    )


def _order_number(posting_number: str) -> str:
    """The number of a posting without its last part."""
    return posting_number.rpartition("-")[0] or posting_number


def _ordered_at(payload: Payload) -> datetime:
    for field in _DATE_FIELDS:
        if timestamp := optional_timestamp_field(payload, field):
            return timestamp
    raise InvalidField("`in_process_at` must be a date and time, or another date must be there instead.")


def _items(payload: Payload) -> tuple[Item, ...]:
    products = payload.get("products")
    if not isinstance(products, list) or not products:
        raise InvalidField("`products` must be a list that is not empty.")
    items = tuple(_item(number, product) for number, product in enumerate(products))
    if sum(item.quantity for item in items) > _MAX_PIECES or sum(_cost(item) for item in items) >= _MAX_MONEY:
        raise InvalidField("`products` must cost less than a billion, and be a million pieces at the most.")
    return items


def _cost(item: Item) -> Decimal:
    return item.quantity * item.price


def _item(number: int, product: Any) -> Item:
    if not isinstance(product, Mapping):
        raise InvalidField(f"`products[{number}]` must be a JSON object.")
    try:
        price, currency = price_field(product)
        return Item(
            product_id=sku_field(product),
            article=optional_text_field(product, "offer_id"),
            name=optional_text_field(product, "name"),
            quantity=int_field(product, "quantity", 1, _MAX_PIECES),
            price=price,
            currency=currency,
        )
    except InvalidField as error:
        raise InvalidField(f"In `products[{number}]`: {error}") from None
