"""The shapes of Wildberries' requests and responses, written down from what its public documentation says in 2026.

Nothing beyond it is allowed here: a field that the sandbox or the client invents is an error.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WORDS: Final[Schema] = {"type": "string", "minLength": 1}
BOOL: Final[Schema] = {"type": "boolean"}
INT: Final[Schema] = {"type": "integer"}
AMOUNT: Final[Schema] = {"type": "number", "minimum": 0}
NULL: Final[Schema] = {"type": "null"}
INT64: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
WITH_OFFSET: Final[Schema] = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
}
MOSCOW: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
DIGITS: Final[Schema] = {"type": "string", "pattern": "^[0-9]+$"}


def closed(optional: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """An object with these properties and no other."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def one_of(*values: object) -> Schema:
    return {"enum": list(values)}


FEEDBACK: Final = closed(
    id={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,50}$"},
    text=TEXT,
    pros=TEXT,
    cons=TEXT,
    productValuation={"type": "integer", "minimum": 1, "maximum": 5},
    createdDate=WITH_OFFSET,
    answer=or_null(closed(text=TEXT, state=one_of("none", "wbRu", "reviewRequired", "rejected"), editable=BOOL)),
    state=one_of("none", "wbRu"),
    productDetails=closed(
        imtId=INT64,
        nmId=INT64,
        productName=TEXT,
        supplierArticle=or_null(TEXT),
        supplierName=or_null(TEXT),
        brandName=or_null(TEXT),
        size=TEXT,
    ),
    photoLinks=or_null(array(closed(fullSize=TEXT, miniSize=TEXT))),
    video=or_null(closed(previewImage=TEXT, link=TEXT, durationSec=INT)),
    wasViewed=BOOL,
    userName=TEXT,
    matchingSize=one_of("", "ok", "smaller", "bigger"),
    orderStatus=one_of("buyout", "rejected", "returned", "notSpecified"),
    isAbleSupplierFeedbackValuation=BOOL,
    supplierFeedbackValuation=INT,
    isAbleSupplierProductValuation=BOOL,
    supplierProductValuation=INT,
    isAbleReturnProductOrders=BOOL,
    returnProductOrdersDate=or_null(WITH_OFFSET),
    bables=or_null(array(TEXT)),
    lastOrderShkId=INT64,
    lastOrderCreatedAt=WITH_OFFSET,
    color=TEXT,
    subjectId=INT,
    subjectName=TEXT,
    parentFeedbackId=or_null(TEXT),
    childFeedbackId=or_null(TEXT),
)
ORDER: Final = closed(
    **dict.fromkeys(("date", "lastChangeDate"), MOSCOW),
    **dict.fromkeys(("warehouseName", "countryName", "oblastOkrugName", "regionName"), TEXT),
    warehouseType=one_of("Склад WB", "Склад продавца"),
    **dict.fromkeys(("supplierArticle", "barcode", "category", "subject", "brand", "techSize", "sticker"), TEXT),
    nmId=INT64,
    incomeID=INT64,
    **dict.fromkeys(("isSupply", "isRealization", "isCancel"), BOOL),
    **dict.fromkeys(("totalPrice", "finishedPrice", "priceWithDisc", "spp"), AMOUNT),
    discountPercent=INT,
    cancelDate={"anyOf": [MOSCOW, one_of("", None)]},
    gNumber=DIGITS,
    srid=WORDS,
)


def _envelope(data: Schema) -> Schema:
    return closed(data=data, error=one_of(False), errorText=one_of(""), additionalErrors=or_null(array(TEXT)))


def _page(**counts: Schema) -> Schema:
    return _envelope(closed(tuple(counts), **counts, feedbacks=array(FEEDBACK)))


def _gateway(status: int, title: str) -> Schema:
    return closed(
        title=one_of(title),
        detail=WORDS,
        code=WORDS,
        requestId=WORDS,
        origin=WORDS,
        status=one_of(status),
        statusText=WORDS,
        timestamp=WITH_OFFSET,
    )


RESPONSES: Final[Mapping[str, Schema]] = {
    "list": _page(countUnanswered=INT, countArchive=INT),
    "archive": _page(),
    "one": _envelope(FEEDBACK),
    "count": _envelope(INT),
    "count-unanswered": _envelope(closed(countUnanswered=INT, countUnansweredToday=INT)),
    "news": _envelope(closed(hasNewQuestions=BOOL, hasNewFeedbacks=BOOL)),
    "orders": array(ORDER),
    "ping": closed(TS=WITH_OFFSET, Status=one_of("OK")),
    "refused": closed(
        data=NULL,
        error=one_of(True),
        errorText=WORDS,
        additionalErrors=or_null(array(TEXT)),
        requestId=WORDS,
    ),
    "bad answer": closed(title=one_of("bad request"), requestId=WORDS, origin=one_of("fbapi"), detail=WORDS),
    "bad orders": closed(errors={"anyOf": [WORDS, array(WORDS)]}),
    "unauthorized": _gateway(401, "unauthorized"),
    "forbidden": _gateway(403, "forbidden"),
    "too many": _gateway(429, "too many requests"),
}
"""By a name of our own."""

_TAKE: Final[Schema] = {"type": "string", "pattern": "^([1-9][0-9]{0,2}|[1-4][0-9]{3}|5000)$"}
_SKIP: Final[Schema] = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,4}|1[0-9]{5})$"}
_ORDER_BY: Final = one_of("dateAsc", "dateDesc")
_BOOLEAN: Final = one_of("true", "false")
_ANSWER: Final = closed(id=WORDS, text={"type": "string", "minLength": 2, "maxLength": 5000})
_NOTHING: Final = closed()
REQUESTS: Final[Mapping[tuple[str, str], tuple[Schema, Schema]]] = {
    ("GET", "/api/v1/feedbacks"): (
        closed(
            ("order", "nmId", "dateFrom", "dateTo"),
            isAnswered=_BOOLEAN,
            take=_TAKE,
            skip=_SKIP,
            order=_ORDER_BY,
            **dict.fromkeys(("nmId", "dateFrom", "dateTo"), DIGITS),
        ),
        NULL,
    ),
    ("GET", "/api/v1/feedbacks/archive"): (
        closed(("order", "nmId"), take=_TAKE, skip=_SKIP, order=_ORDER_BY, nmId=DIGITS),
        NULL,
    ),
    ("GET", "/api/v1/feedback"): (closed(id=WORDS), NULL),
    ("POST", "/api/v1/feedbacks/answer"): (_NOTHING, _ANSWER),
    ("PATCH", "/api/v1/feedbacks/answer"): (_NOTHING, _ANSWER),
    ("GET", "/api/v1/supplier/orders"): (
        closed(
            ("flag",),
            dateFrom={"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?)?$"},
            flag=one_of("0", "1"),
        ),
        NULL,
    ),
    ("GET", "/ping"): (_NOTHING, NULL),
}
"""The query and the body of each method that the service calls. Values of a query are texts."""
HEADERS: Final[Schema] = {
    "type": "object",
    "properties": {"authorization": WORDS, "x-client-secret": WORDS, "content-type": one_of("application/json")},
    "required": ["authorization"],
}


def faults(schema: Schema, value: object) -> list[str]:
    """Where the value is not as the schema says."""
    return [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)
    ]


def request_faults(method: str, path: str, query: object, body: object, headers: object) -> list[str]:
    """What the documentation does not allow of a request."""
    if (method, path) not in REQUESTS:
        return [f"There is no {method} {path}."]
    for_query, for_body = REQUESTS[method, path]
    return [*faults(for_query, query), *faults(for_body, body), *faults(HEADERS, headers)]
