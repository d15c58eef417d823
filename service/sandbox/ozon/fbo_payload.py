"""A posting from Ozon's warehouse (FBO), in the format of `/v3/posting/fbo/list`."""

from datetime import timedelta
from typing import Any

from service.sandbox.ozon.method import rfc3339
from service.sandbox.ozon.posting_payload import (
    PostingView,
    cancellation_reason,
    common_fields,
    destination,
    financial_data,
    is_company,
    legal_data,
    product_payload,
)


def fbo_payload(view: PostingView) -> dict[str, Any]:
    """The JSON of a posting. Any object in it may be null; which ones are null never changes."""
    reason = cancellation_reason(view)
    return common_fields(view) | {
        "created_at": rfc3339(view.posting.created_at),
        "cancel_reason_id": reason[0] if reason else 0,
        "cancellation": _cancellation(view),
        "products": [product_payload(*content) | {"digital_codes": []} for content in view.posting.contents],
        "analytics_data": _analytics(view),
        "financial_data": financial_data(view),
        "legal_info": legal_data(view),
        "external_order": None,
        "additional_data": [],
    }


def _cancellation(view: PostingView) -> dict[str, Any] | None:
    reason = cancellation_reason(view)
    if reason is None:
        return None
    _, text, kind, initiator = reason
    return {"cancel_reason": text, "cancellation_initiator": initiator, "cancellation_type": kind}


def _analytics(view: PostingView) -> dict[str, Any] | None:
    random = view.random("analytics")
    if not view.included.analytics_data or random.random() < 0.2:  # noqa: PLR2004  # the share of postings without these data
        return None
    begin = view.posting.created_at + timedelta(days=random.randint(1, 4))
    return {
        "city": destination(view)[0],
        "delivery_type": random.choice(("PVZ", "PVZ", "Courier", "Postamat")),
        "warehouse_id": 23_900_007,
        "warehouse_name": "ПЕСОЧНЫЙ_РФЦ",
        "is_premium": random.random() < 0.3,  # noqa: PLR2004  # three buyers of ten
        "is_legal": is_company(view),
        "payment_type_group_name": random.choice(("Карты онлайн", "Ozon Карта", "СБП")),
        "client_delivery_date_begin": rfc3339(begin),
        "client_delivery_date_end": rfc3339(begin + timedelta(days=1)),
    }
