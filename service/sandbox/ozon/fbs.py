"""A posting from the seller's own stock, in the shape of `/v4/posting/fbs/list`."""

from datetime import timedelta
from typing import Any, Final

from service.sandbox.ozon.method import rfc3339
from service.sandbox.ozon.people import addressee, customer
from service.sandbox.ozon.posting_model import DELIVERING
from service.sandbox.ozon.posting_payload import (
    METHODS,
    DeliveryMethod,
    Shown,
    destination,
    financial_data,
    head,
    is_company,
    legal,
    reason_of,
    sold,
)
from service.sandbox.ozon.products import Product

_ACTIONS: Final = {
    "awaiting_packaging": ["ship", "cancel", "arbitration"],
    "awaiting_deliver": ["label", "cancel", "arbitration"],
}


def fbs(shown: Shown) -> dict[str, Any]:
    """Any object in it may be null; which ones are, doesn't change while the posting moves on."""
    method = METHODS[shown.posting.number % len(METHODS)]
    return (
        head(shown)
        | _delivery(shown, method)
        | {
            "products": [_product(product, quantity) for product, quantity in shown.posting.contents],
            "cancellation": _cancellation(shown),
            "financial_data": financial_data(shown),
            "analytics_data": _analytics(shown, method),
            "legal_info": legal(shown),
            "barcodes": _barcodes(shown),
            "available_actions": _ACTIONS.get(shown.status, []),
        }
        | _people(shown)
        | _rare(shown)
    )


def _delivery(shown: Shown, method: DeliveryMethod) -> dict[str, Any]:
    packed = shown.posting.moment_of("awaiting_deliver", shown.now)
    shipment = rfc3339(shown.posting.created_at + timedelta(days=2))
    return {
        "shipment_date": shipment,
        "shipment_date_without_delay": shipment,
        "delivering_date": shown.moment_of(DELIVERING),
        "delivery_method": {
            "id": method.id,
            "name": method.name,
            "warehouse": method.warehouse,
            "warehouse_id": method.warehouse_id,
            "tpl_provider": method.provider,
            "tpl_provider_id": method.provider_id,
        },
        "delivery_schema": "fbs",
        "integration_type_flow": "ozon",
        "tpl_integration_type": "ozon",
        "tracking_number": shown.posting.posting_number if packed else "",
    }


def _product(product: Product, quantity: int) -> dict[str, Any]:
    return sold(product, quantity) | {
        "product_color": product.colour,
        "weight": 400,
        "imei": [],
        "is_blr_traceable": False,
    }


def _cancellation(shown: Shown) -> dict[str, Any] | None:
    """Of a posting that is not cancelled, an empty one or none at all."""
    reason = reason_of(shown)
    if reason is None and shown.random("cancellation").random() < 0.5:  # noqa: PLR2004  # half of them
        return None
    number, sentence, kind, initiator = reason or (0, "", "", "")
    return {
        "cancel_reason_id": number,
        "cancel_reason": sentence,
        "cancellation_type": kind,
        "cancellation_initiator": initiator,
        "cancelled_after_ship": bool(reason and shown.moment_of(DELIVERING)),
        "affect_cancellation_rating": kind == "seller",
    }


def _analytics(shown: Shown, method: DeliveryMethod) -> dict[str, Any] | None:
    random = shown.random("analytics")
    if not shown.wanted.analytics_data or random.random() < 0.2:  # noqa: PLR2004  # not everything is known
        return None
    city, region = destination(shown)
    begin = shown.posting.created_at + timedelta(days=random.randint(3, 6))
    return {
        "city": city,
        "region": region,
        "warehouse": method.warehouse,
        "warehouse_id": method.warehouse_id,
        "delivery_type": random.choice(("PVZ", "PVZ", "Courier", "Postamat")),
        "delivery_date_begin": rfc3339(begin),
        "delivery_date_end": rfc3339(begin + timedelta(days=1)),
        "client_delivery_date_begin": rfc3339(begin),
        "client_delivery_date_end": rfc3339(begin + timedelta(days=1)),
        "is_premium": random.random() < 0.3,  # noqa: PLR2004  # three buyers in ten
        "is_legal": is_company(shown),
        "payment_type_group_name": random.choice(("Карты онлайн", "Ozon Карта", "СБП")),
        "tpl_provider": method.provider,
        "tpl_provider_id": method.provider_id,
    }


def _barcodes(shown: Shown) -> dict[str, str] | None:
    if not shown.wanted.barcodes:
        return None
    number = shown.posting.order_id
    return {"lower_barcode": str(number), "upper_barcode": f"%101%{number}"}


def _people(shown: Shown) -> dict[str, Any]:
    random = shown.random("people")
    if random.random() < 0.6:  # noqa: PLR2004  # most are delivered by Ozon, who tells nothing of the buyer
        return {"customer": None, "addressee": None}
    return {"customer": customer(random, shown.posting), "addressee": addressee(random)}


def _rare(shown: Shown) -> dict[str, Any]:
    """What is there in each answer, and says something in hardly any."""
    nothing = dict.fromkeys(
        (
            "requirements", "tariffication", "container", "external_order", "optional", "sorting_center",
            "pickup_code_verified_at", "destination_place_id", "destination_place_name", "container_sort_type",
        )
    )  # fmt: skip
    return nothing | {
        "scanit": "",
        "tariffication_steps": [],
        "is_express": False,
        "is_multibox": False,
        "is_presortable": False,
        "is_click_and_collect": False,
        "multi_box_qty": 0,
        "parent_posting_number": "",
        "prr_option": "",
        "quantum_id": 0,
        "require_blr_traceable_attrs": False,
        "volume_weight": round(0.3 * len(shown.posting.contents), 2),
    }
