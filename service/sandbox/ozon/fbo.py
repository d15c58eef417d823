"""A posting from Ozon's stock, in the shape of `/v3/posting/fbo/list`."""

from datetime import timedelta
from typing import Any

from service.sandbox.ozon.method import rfc3339
from service.sandbox.ozon.posting_payload import (
    Shown,
    destination,
    financial_data,
    head,
    is_company,
    legal,
    reason_of,
    sold,
)


def fbo(shown: Shown) -> dict[str, Any]:
    """Any object in it may be null; which ones are, doesn't change while the posting moves on."""
    reason = reason_of(shown)
    return head(shown) | {
        "created_at": rfc3339(shown.posting.created_at),
        "cancel_reason_id": reason[0] if reason else 0,
        "cancellation": _cancellation(shown),
        "products": [sold(*content) | {"digital_codes": []} for content in shown.posting.contents],
        "analytics_data": _analytics(shown),
        "financial_data": financial_data(shown),
        "legal_info": legal(shown),
        "external_order": None,
        "additional_data": [],
    }


def _cancellation(shown: Shown) -> dict[str, Any] | None:
    reason = reason_of(shown)
    if reason is None:
        return None
    _, sentence, kind, initiator = reason
    return {"cancel_reason": sentence, "cancellation_initiator": initiator, "cancellation_type": kind}


def _analytics(shown: Shown) -> dict[str, Any] | None:
    random = shown.random("analytics")
    if not shown.wanted.analytics_data or random.random() < 0.2:  # noqa: PLR2004  # not everything is known
        return None
    begin = shown.posting.created_at + timedelta(days=random.randint(1, 4))
    return {
        "city": destination(shown)[0],
        "delivery_type": random.choice(("PVZ", "PVZ", "Courier", "Postamat")),
        "warehouse_id": 23_900_007,
        "warehouse_name": "ПЕСОЧНЫЙ_РФЦ",
        "is_premium": random.random() < 0.3,  # noqa: PLR2004  # three buyers in ten
        "is_legal": is_company(shown),
        "payment_type_group_name": random.choice(("Карты онлайн", "Ozon Карта", "СБП")),
        "client_delivery_date_begin": rfc3339(begin),
        "client_delivery_date_end": rfc3339(begin + timedelta(days=1)),
    }
