"""Orders of Ozon: how a posting is read, whichever warehouse it comes from."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from service.integrations.marketplace import InvalidPayload, Item, Order
from service.integrations.ozon.fields import (
    LONGEST_ID,
    Allowed,
    Malformed,
    Payload,
    id_in,
    kept,
    optional_moment_in,
    optional_text_in,
    price_in,
    sku_in,
    text_in,
    whole_in,
)
from service.names import OZON

_CANCELLED: Final = "cancelled"
# While a payment is late there is no moment of processing.
_MOMENTS: Final = ("in_process_at", "created_at", "shipment_date", "shipment_date_without_delay")
_LONGEST_STATUS: Final = 50
_MOST_PIECES: Final = 1_000_000
_MOST_MONEY: Final = Decimal(10) ** 12
_PRODUCT: Final[Allowed] = {
    **dict.fromkeys(("sku", "offer_id", "name", "quantity", "currency_code")),
    "price": {"amount": None, "currency": None},
}
_KEPT: Final[Allowed] = {
    **dict.fromkeys(("posting_number", "order_id", "order_number", "status", "substatus", *_MOMENTS)),
    "products": _PRODUCT,
}


def parse_order(payload: object, scheme: str, as_of: datetime) -> Order | InvalidPayload:
    if not isinstance(payload, Mapping):
        return InvalidPayload(external_id=None, reason="The posting is no JSON object.", payload={})
    try:
        return _order(payload, scheme, as_of)
    except Malformed as error:
        return InvalidPayload(
            external_id=id_in(payload, "posting_number"), reason=str(error), payload=kept(payload, _KEPT)
        )


def _order(payload: Payload, scheme: str, as_of: datetime) -> Order:
    number, status = text_in(payload, "posting_number"), text_in(payload, "status", _LONGEST_STATUS)
    return Order(
        marketplace=OZON,
        external_id=number,
        order_number=optional_text_in(payload, "order_number", LONGEST_ID) or _order_number(number),
        scheme=scheme,
        ordered_at=_ordered_at(payload),
        status=status,
        cancelled=status.lower() == _CANCELLED,
        cancelled_at=None,  # Ozon does not say when
        items=_items(payload),
        as_of=as_of,
    )


def _order_number(posting_number: str) -> str:
    """The number of the order is that of its postings without the last part."""
    return posting_number.rpartition("-")[0] or posting_number


def _ordered_at(payload: Payload) -> datetime:
    for field in _MOMENTS:
        if moment := optional_moment_in(payload, field):
            return moment
    raise Malformed("`in_process_at` must be a date and time, or another date must be there instead.")


def _items(payload: Payload) -> tuple[Item, ...]:
    products = payload.get("products")
    if not isinstance(products, list) or not products:
        raise Malformed("`products` must be a list that is not empty.")
    items = tuple(_item(number, product) for number, product in enumerate(products))
    if sum(item.quantity for item in items) > _MOST_PIECES or sum(_cost(item) for item in items) >= _MOST_MONEY:
        raise Malformed("`products` must cost less than a billion, and be a million pieces at the most.")
    return items


def _cost(item: Item) -> Decimal:
    return item.quantity * item.price


def _item(number: int, product: Any) -> Item:
    if not isinstance(product, Mapping):
        raise Malformed(f"`products[{number}]` must be a JSON object.")
    try:
        price, currency = price_in(product)
        return Item(
            product_id=sku_in(product),
            article=optional_text_in(product, "offer_id"),
            name=optional_text_in(product, "name"),
            quantity=whole_in(product, "quantity", 1, _MOST_PIECES),
            price=price,
            currency=currency,
        )
    except Malformed as error:
        raise Malformed(f"In `products[{number}]`: {error}") from None
