"""JSON Schemas of Ozon's methods that the service calls, written down from the public documentation of 2026.

Each field of a response is required, unless it is optional by the documentation. Where Ozon sends null for an object, the
schema allows it.
"""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
AMOUNT: Final[Schema] = {"type": "integer", "minimum": 0}
INT64: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
SKU: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
TIME: Final[Schema] = {"type": "string", "format": "date-time", "pattern": r"Z$"}
REVIEW_ID: Final[Schema] = {"type": "string", "minLength": 1}
MONEY: Final[Schema] = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
CURRENCY: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{3}$"}
NULL: Final[Schema] = {"type": "null"}


def word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def array(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these fields, and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def nullable(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


DIRECTION: Final = word("ASC", "DESC")
REVIEW_PAGE: Final[Schema] = {"type": "integer", "minimum": 20, "maximum": 100}
POSTING_PAGE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 100}
REVIEW_STATUS: Final = word("NEW", "VIEWED", "PROCESSED")
FBO_STATUS: Final = word("awaiting_packaging", "awaiting_deliver", "delivering", "delivered", "cancelled")
FBS_STATUS: Final = word(
    "acceptance_in_progress", "arbitration", "awaiting_approve", "awaiting_deliver", "awaiting_packaging",
    "awaiting_registration", "awaiting_verification", "cancelled", "cancelled_from_split_pending", "client_arbitration",
    "delivered", "delivering", "driver_pickup", "not_accepted", "sent_by_seller",
)  # fmt: skip

_REVIEW: Final[dict[str, Schema]] = {
    "id": REVIEW_ID,
    "sku": SKU,
    "text": TEXT,
    "published_at": TIME,
    "rating": {"type": "integer", "minimum": 1, "maximum": 5},
    "status": REVIEW_STATUS,
    "comments_amount": AMOUNT,
    "photos_amount": AMOUNT,
    "videos_amount": AMOUNT,
    "order_status": word("DELIVERED", "CANCELLED"),
    "is_rating_participant": FLAG,
}
_PHOTO: Final = closed({"url": TEXT, "width": AMOUNT, "height": AMOUNT})
_VIDEO: Final = closed(
    {"url": TEXT, "preview_url": TEXT, "short_video_preview_url": TEXT, "width": AMOUNT, "height": AMOUNT}
)
_COMMENT: Final = closed(
    {
        "id": REVIEW_ID,
        "text": TEXT,
        "parent_comment_id": TEXT,
        "is_owner": FLAG,
        "is_official": FLAG,
        "is_published": FLAG,
        "is_rejected": FLAG,
        "deviation_reason": TEXT,
        "likes_amount": AMOUNT,
        "dislikes_amount": AMOUNT,
        "published_at": TIME,
    }
)

_PRODUCT: Final[dict[str, Schema]] = {
    "sku": SKU,
    "offer_id": TEXT,
    "name": TEXT,
    "quantity": {"type": "integer", "minimum": 0},
    "price": closed({"amount": MONEY, "currency": CURRENCY}),
    "is_marketplace_buyout": FLAG,
}
_FBS_PRODUCT: Final = closed(
    _PRODUCT | {"product_color": TEXT, "weight": NUMBER, "imei": array(TEXT), "is_blr_traceable": FLAG}
)
_FBO_PRODUCT: Final = closed(_PRODUCT | {"digital_codes": array(TEXT)})
_FINANCIAL: Final = nullable(
    closed(
        {
            "cluster_from": TEXT,
            "cluster_to": TEXT,
            "products": array(
                closed(
                    {
                        "product_id": SKU,
                        "price": NUMBER,
                        "old_price": NUMBER,
                        "payout": NUMBER,
                        "quantity": AMOUNT,
                        "commission": nullable(closed({"amount": NUMBER, "percent": NUMBER, "currency": CURRENCY})),
                        "customer_price": nullable(closed({"amount": MONEY, "currency": CURRENCY})),
                        "total_discount_value": NUMBER,
                        "total_discount_percent": NUMBER,
                        "actions": array(TEXT),
                    }
                )
            ),
        }
    )
)
_LEGAL: Final = nullable(closed({}, {"company_name": TEXT, "inn": TEXT, "kpp": TEXT}))
_ANALYTICS: Final[dict[str, Schema]] = {
    "city": TEXT,
    "delivery_type": TEXT,
    "warehouse_id": INT64,
    "is_premium": FLAG,
    "is_legal": FLAG,
    "payment_type_group_name": TEXT,
    "client_delivery_date_begin": TIME,
    "client_delivery_date_end": TIME,
}
_POSTING: Final[dict[str, Schema]] = {
    "posting_number": {"type": "string", "pattern": r"^\d+-\d+-\d+$"},
    "order_id": INT64,
    "order_number": TEXT,
    "substatus": {"type": "string", "pattern": "^[a-z_]+$"},
    "in_process_at": nullable(TIME),
    "financial_data": _FINANCIAL,
    "legal_info": _LEGAL,
    "external_order": {"type": ["object", "null"]},
}
_FBS_POSTING: Final = closed(
    _POSTING
    | {
        "status": FBS_STATUS,
        "shipment_date": nullable(TIME),
        "shipment_date_without_delay": nullable(TIME),
        "delivering_date": nullable(TIME),
        "delivery_method": nullable(
            closed(
                {
                    "id": INT64,
                    "name": TEXT,
                    "warehouse": TEXT,
                    "warehouse_id": INT64,
                    "tpl_provider": TEXT,
                    "tpl_provider_id": INT64,
                }
            )
        ),
        "delivery_schema": TEXT,
        "integration_type_flow": TEXT,
        "tpl_integration_type": TEXT,
        "tracking_number": TEXT,
        "scanit": TEXT,
        "products": array(_FBS_PRODUCT),
        "cancellation": nullable(
            closed(
                {
                    "cancel_reason_id": INT64,
                    "cancel_reason": TEXT,
                    "cancellation_type": TEXT,
                    "cancellation_initiator": TEXT,
                    "cancelled_after_ship": FLAG,
                    "affect_cancellation_rating": FLAG,
                }
            )
        ),
        "analytics_data": nullable(
            closed(
                _ANALYTICS
                | {"region": TEXT, "warehouse": TEXT, "delivery_date_begin": TIME, "delivery_date_end": TIME}
                | {"tpl_provider": TEXT, "tpl_provider_id": INT64}
            )
        ),
        "available_actions": array(TEXT),
        "barcodes": nullable(closed({"lower_barcode": TEXT, "upper_barcode": TEXT})),
        "customer": {"type": ["object", "null"]},
        "addressee": {"type": ["object", "null"]},
        "requirements": {"type": ["object", "null"]},
        "tariffication": {"type": ["object", "null"]},
        "tariffication_steps": {"type": "array"},
        "container": {"type": ["object", "null"]},
        "optional": {"type": ["object", "null"]},
        "sorting_center": {"type": ["object", "null"]},
        **dict.fromkeys(("is_express", "is_multibox", "is_presortable", "is_click_and_collect"), FLAG),
        "multi_box_qty": AMOUNT,
        "parent_posting_number": TEXT,
        "pickup_code_verified_at": nullable(TIME),
        "prr_option": TEXT,
        "quantum_id": INT64,
        "require_blr_traceable_attrs": FLAG,
        "destination_place_id": nullable(INT64),
        "destination_place_name": nullable(TEXT),
        "container_sort_type": nullable(TEXT),
        "volume_weight": NUMBER,
    }
)
_FBO_POSTING: Final = closed(
    _POSTING
    | {
        "status": FBO_STATUS,
        "created_at": TIME,
        "cancel_reason_id": INT64,
        "cancellation": nullable(
            closed({"cancel_reason": TEXT, "cancellation_initiator": TEXT, "cancellation_type": TEXT})
        ),
        "products": array(_FBO_PRODUCT),
        "analytics_data": nullable(closed(_ANALYTICS | {"warehouse_name": TEXT})),
        "additional_data": array(closed({"key": TEXT, "value": TEXT})),
    }
)


def _page(name: str, rows: Schema, cursor: str) -> Schema:
    return closed({name: array(rows, maxItems=100), "has_next": FLAG, cursor: TEXT})


_INCLUDED: Final = closed({}, dict.fromkeys(("analytics_data", "barcodes", "financial_data", "legal_info"), FLAG))
_PERIOD: Final[dict[str, Schema]] = {"since": TIME, "to": TIME}
_PAGING: Final[dict[str, Schema]] = {"cursor": TEXT, "sort_dir": DIRECTION, "translit": FLAG}

REQUESTS: Final[dict[str, Schema]] = {
    "/v1/roles": closed({}),
    "/v2/review/count": closed({}),
    "/v2/review/list": closed(
        {"limit": REVIEW_PAGE},
        {
            "last_id": TEXT,
            "sort_dir": DIRECTION,
            "filters": closed(
                {},
                {
                    "status": word("ALL", "NEW", "VIEWED", "PROCESSED"),
                    "order_status": word("ALL", "DELIVERED", "CANCELLED"),
                    "skus": array({"type": "string", "pattern": r"^\d+$"}, maxItems=1000),
                    "published_from": TIME,
                    "published_to": TIME,
                },
            ),
        },
    ),
    "/v2/review/info": closed({"review_id": REVIEW_ID}),
    "/v1/review/comment/create": closed(
        {"review_id": REVIEW_ID, "text": {"type": "string", "minLength": 1, "maxLength": 1000}},
        {"parent_comment_id": TEXT, "mark_review_as_processed": FLAG},
    ),
    "/v1/review/comment/list": closed(
        {"review_id": REVIEW_ID, "limit": REVIEW_PAGE}, {"offset": AMOUNT, "sort_dir": DIRECTION}
    ),
    "/v3/product/info/list": closed({}, {"sku": array({"type": "string", "pattern": r"^\d+$"}, maxItems=1000)}),
    "/v4/posting/fbs/list": closed(
        {
            "filter": closed(
                _PERIOD,
                {"statuses": array(FBS_STATUS), "last_changed_status_date": closed({"from": TIME, "to": TIME})},
            ),
            "limit": POSTING_PAGE,
        },
        _PAGING | {"with": _INCLUDED},
    ),
    "/v3/posting/fbo/list": closed(
        {"filter": closed(_PERIOD, {"statuses": array(FBO_STATUS)}), "limit": POSTING_PAGE}, _PAGING
    ),
}

RESPONSES: Final[dict[str, Schema]] = {
    "/v1/roles": closed({"roles": array(closed({"name": TEXT, "methods": array(TEXT)})), "expires_at": TIME}),
    "/v2/review/count": closed({"total": AMOUNT, "new": AMOUNT, "viewed": AMOUNT, "processed": AMOUNT}),
    "/v2/review/list": _page("reviews", closed(_REVIEW), "last_id"),
    "/v2/review/info": closed(
        _REVIEW | {"likes_amount": AMOUNT, "dislikes_amount": AMOUNT, "photos": array(_PHOTO), "videos": array(_VIDEO)}
    ),
    "/v1/review/comment/create": closed({"comment_id": REVIEW_ID}),
    "/v1/review/comment/list": closed({"comments": array(_COMMENT, maxItems=100), "offset": AMOUNT}),
    "/v4/posting/fbs/list": _page("postings", _FBS_POSTING, "cursor"),
    "/v3/posting/fbo/list": _page("postings", _FBO_POSTING, "cursor"),
}
"""Of the products' method only the names are read: its response has no schema here."""

ERROR: Final = closed(
    {"code": {"type": "integer", "minimum": 1, "maximum": 16}, "message": TEXT}, {"details": {"type": "array"}}
)
