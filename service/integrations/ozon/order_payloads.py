"""Parses postings of Ozon, of every scheme, to orders."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from service.integrations.marketplace import SPLIT_STATUS, UNKNOWN_CURRENCY, InvalidField, InvalidPayload, Item, Order
from service.integrations.odd_fields import OddFields
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

T = TypeVar("T")
_CANCELLED: Final = frozenset({"cancelled", SPLIT_STATUS})
_CANCELLED_SUBSTATUS: Final = "posting_canceled"
# In this order: a posting whose payment is late has no `in_process_at`.
DATE_FIELDS: Final = ("in_process_at", "created_at", "shipment_date", "shipment_date_without_delay")
_MAX_STATUS_LENGTH: Final = 50
_MAX_PIECES: Final = 1_000_000
_MAX_MONEY: Final = Decimal(10) ** 12
_PRODUCT_WHITELIST: Final[Whitelist] = {
    **dict.fromkeys(("sku", "offer_id", "name", "quantity", "currency_code")),
    "price": {"amount": None, "currency": None},
}
_WHITELIST: Final[Whitelist] = {
    **dict.fromkeys(("posting_number", "order_id", "order_number", "status", "substatus", *DATE_FIELDS)),
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
    """Its number and its status have to be readable."""
    number, status = text_field(payload, "posting_number"), text_field(payload, "status", _MAX_STATUS_LENGTH)
    odd = OddFields()
    substatus = odd.read(lambda: optional_text_field(payload, "substatus", _MAX_STATUS_LENGTH), "").strip()
    return Order(
        marketplace=OZON,
        external_id=number,
        order_number=odd.read(lambda: optional_text_field(payload, "order_number", MAX_ID_LENGTH), "")
        or _order_number(number),
        scheme=scheme,
        ordered_at=odd.read(lambda: _ordered_at(payload, odd), None),
        status=status,
        substatus=substatus or None,
        cancelled=status.lower() in _CANCELLED or substatus.lower() == _CANCELLED_SUBSTATUS,
        cancelled_at=None,  # Ozon does not say when
        items=() if status.lower() == SPLIT_STATUS else odd.read(lambda: _items(payload, odd), ()),
        as_of=as_of,
        odd=odd.noted(number, whitelist(payload, _WHITELIST)),
    )


def _order_number(posting_number: str) -> str:
    """The number of a posting without its last part."""
    return posting_number.rpartition("-")[0] or posting_number


def _ordered_at(payload: Payload, odd: OddFields) -> datetime:
    for field in DATE_FIELDS:
        if timestamp := odd.read(partial(optional_timestamp_field, payload, field), None):
            return timestamp
    raise InvalidField("`in_process_at` must be a date and time, or another date must be there instead.")


def _items(payload: Payload, odd: OddFields) -> tuple[Item, ...]:
    products = payload.get("products")
    if not isinstance(products, list) or not products:
        raise InvalidField("`products` must be a list that is not empty.")
    read = [odd.read(partial(_item, number, product, odd), None) for number, product in enumerate(products)]
    items = tuple(item for item in read if item is not None)
    if sum(item.quantity for item in items) > _MAX_PIECES or sum(_cost(item) for item in items) >= _MAX_MONEY:
        raise InvalidField("`products` must cost less than a billion, and be a million pieces at the most.")
    return items


def _cost(item: Item) -> Decimal:
    return item.quantity * item.price


def _item(number: int, product: Any, odd: OddFields) -> Item:
    if not isinstance(product, Mapping):
        raise InvalidField(f"`products[{number}]` must be a JSON object.")

    def of_product(field: Callable[[], T], otherwise: T) -> T:
        return odd.read(partial(_located, number, field), otherwise)

    price, currency = of_product(lambda: price_field(product), (Decimal(0), UNKNOWN_CURRENCY))
    return Item(
        product_id=of_product(lambda: sku_field(product), ""),
        article=of_product(lambda: optional_text_field(product, "offer_id"), ""),
        name=of_product(lambda: optional_text_field(product, "name"), ""),
        quantity=of_product(lambda: int_field(product, "quantity", 1, _MAX_PIECES), 0),
        price=price,
        currency=currency,
    )


def _located(number: int, field: Callable[[], T]) -> T:
    try:
        return field()
    except InvalidField as error:
        raise InvalidField(f"In `products[{number}]`: {error}") from None
