"""Rows of Wildberries, with personal data of the buyer, and a token, neither of which may appear elsewhere."""

import base64
import json

from service.integrations.http.rate_limiter import RateLimit

LIMIT = RateLimit("wb:tests", 0.0)
BUYER = "Ольга Тестова"


def token_of(**claims):
    """A token with these claims and an invalid signature."""
    return f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}.c2lnbmF0dXJl"


def _part(claims):
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


TOKEN = token_of(acc=3, s=160, sid="3f2b6c1e-0000-4000-8000-5d1e2a3b4c5d", exp=1_798_000_000, t=False)


def review(number=1, **changes):
    """A review; `number` tells reviews apart."""
    return {
        "id": f"Qm7xTz1BkAtKOit{number:05}",
        "text": "Маломерит, пришлось вернуть",
        "pros": "Мягкая ткань",
        "cons": "Размер",
        "productValuation": 3,
        "createdDate": "2026-11-20T08:14:05Z",
        "answer": None,
        "state": "none",
        "productDetails": {
            "imtId": 310045112,
            "nmId": 245901773,
            "productName": "Пижама хлопок",
            "supplierArticle": "PJ-12/син",
            "supplierName": "ИП Тестов",
            "brandName": "TestBrand",
            "size": "M",
        },
        "wasViewed": False,
        "photoLinks": None,
        "userName": BUYER,
        "matchingSize": "smaller",
        "bables": ["качество"],
        "lastOrderShkId": 35830000549,
        "lastOrderCreatedAt": "2026-11-09T13:25:06.05603Z",
    } | changes


def reviews_page(*rows):
    data = {"countUnanswered": 2, "countArchive": 1480, "feedbacks": list(rows)}
    return {"data": data, "error": False, "errorText": "", "additionalErrors": None}


def order(number=1, changed="2026-11-21T18:40:07", **changes):
    """An order; `number` tells orders apart."""
    return {
        "date": "2026-11-21T18:08:31",
        "lastChangeDate": changed,
        "warehouseName": "Коледино",
        "warehouseType": "Склад WB",
        "regionName": "Московская",
        "supplierArticle": "PJ-12/син",
        "nmId": 245901773,
        "barcode": "2041234567890",
        "subject": "Пижамы",
        "brand": "TestBrand",
        "techSize": "M",
        "incomeID": 0,
        "totalPrice": 3200,
        "discountPercent": 35,
        "spp": 24,
        "finishedPrice": 1580.4,
        "priceWithDisc": 2080.5,
        "isCancel": False,
        "cancelDate": "0001-01-01T00:00:00",
        "gNumber": "98765432101234567890",
        "srid": f"eb.rd3f0a1c2.{number}.0",
    } | changes
