"""A posting from the seller's warehouse (FBS), in the format of `/v4/posting/fbs/list`."""

from datetime import timedelta
from typing import Any, Final

from service.sandbox.ozon.method import rfc3339
from service.sandbox.ozon.people import addressee, customer
from service.sandbox.ozon.posting_model import DELIVERING
from service.sandbox.ozon.posting_payload import (
    DELIVERY_METHODS,
    DeliveryMethod,
    PostingView,
    cancellation_reason,
    common_fields,
    destination,
    financial_data,
    is_company,
    legal_data,
    product_payload,
)
from service.sandbox.ozon.products import Product

_ACTIONS: Final = {
    "awaiting_packaging": ["ship", "cancel", "arbitration"],
    "awaiting_deliver": ["label", "cancel", "arbitration"],
}


def fbs_payload(view: PostingView) -> dict[str, Any]:
    """The JSON of a posting. Any object in it may be null; which ones are null never changes."""
    method = DELIVERY_METHODS[view.posting.number % len(DELIVERY_METHODS)]
    return (
        common_fields(view)
        | _delivery(view, method)
        | {
            "products": [_product(product, quantity) for product, quantity in view.posting.contents],
            "cancellation": _cancellation(view),
            "financial_data": financial_data(view),
            "analytics_data": _analytics(view, method),
            "legal_info": legal_data(view),
            "barcodes": _barcodes(view),
            "available_actions": _ACTIONS.get(view.status, []),
        }
        | _buyer(view)
        | _mostly_empty(view)
    )


def _delivery(view: PostingView, method: DeliveryMethod) -> dict[str, Any]:
    packed = view.posting.reached_at("awaiting_deliver", view.now)
    shipment = rfc3339(view.posting.created_at + timedelta(days=2))
    return {
        "shipment_date": shipment,
        "shipment_date_without_delay": shipment,
        "delivering_date": view.reached_at(DELIVERING),
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
        "tracking_number": view.posting.posting_number if packed else "",
    }


def _product(product: Product, quantity: int) -> dict[str, Any]:
    return product_payload(product, quantity) | {
        "product_color": product.colour,
        "weight": 400,
        "imei": [],
        "is_blr_traceable": False,
    }


def _cancellation(view: PostingView) -> dict[str, Any] | None:
    """An object with empty fields, or null, for a posting that is not cancelled."""
    reason = cancellation_reason(view)
    if reason is None and view.random("cancellation").random() < 0.5:  # noqa: PLR2004  # half of them
        return None
    number, text, kind, initiator = reason or (0, "", "", "")
    return {
        "cancel_reason_id": number,
        "cancel_reason": text,
        "cancellation_type": kind,
        "cancellation_initiator": initiator,
        "cancelled_after_ship": bool(reason and view.reached_at(DELIVERING)),
        "affect_cancellation_rating": kind == "seller",
    }


def _analytics(view: PostingView, method: DeliveryMethod) -> dict[str, Any] | None:
    random = view.random("analytics")
    if not view.included.analytics_data or random.random() < 0.2:  # noqa: PLR2004  # the share of postings without these data
        return None
    city, region = destination(view)
    begin = view.posting.created_at + timedelta(days=random.randint(3, 6))
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
        "is_premium": random.random() < 0.3,  # noqa: PLR2004  # three buyers of ten
        "is_legal": is_company(view),
        "payment_type_group_name": random.choice(("Карты онлайн", "Ozon Карта", "СБП")),
        "tpl_provider": method.provider,
        "tpl_provider_id": method.provider_id,
    }


def _barcodes(view: PostingView) -> dict[str, str] | None:
    if not view.included.barcodes:
        return None
    number = view.posting.order_id
    return {"lower_barcode": str(number), "upper_barcode": f"%101%{number}"}


def _buyer(view: PostingView) -> dict[str, Any]:
    random = view.random("people")
    if random.random() < 0.6:  # noqa: PLR2004  # most are delivered by Ozon, which sends no data of the buyer
        return {"customer": None, "addressee": None}
    return {"customer": customer(random, view.posting), "addressee": addressee(random)}


def _mostly_empty(view: PostingView) -> dict[str, Any]:
    """Fields that every response has, and that are nearly always empty."""
    nulls = dict.fromkeys(
        (
            "requirements", "tariffication", "container", "external_order", "optional", "sorting_center",
            "pickup_code_verified_at", "destination_place_id", "destination_place_name", "container_sort_type",
        )
    )  # fmt: skip
    return nulls | {
        "scanit": "",
        "tariffication_steps": [],
        "is_express": False,
        "is_multibox": False,
        "is_presortable": False,
        "is_click_and_collect": False,
        "multi_box_qty": 0,
        "parent_posting_number": view.posting.parent,
        "prr_option": "",
        "quantum_id": 0,
        "require_blr_traceable_attrs": False,
        "volume_weight": round(0.3 * len(view.posting.contents), 2),
    }
