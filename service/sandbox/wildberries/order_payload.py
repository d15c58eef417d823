"""A row of Wildberries' report of orders."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from service.sandbox.wildberries.order_model import Change, SimulatedOrder
from service.sandbox.wildberries.products import PRODUCTS, Product

NOT_CANCELLED: Final = ("0001-01-01T00:00:00", "0001-01-01T00:00:00", "", None)
"""The forms of `cancelDate` of an order that is not cancelled; `isCancel` decides."""
_MOSCOW_EPOCH: Final = datetime(1970, 1, 1, 3, tzinfo=UTC)
_SELLER_WAREHOUSE: Final = "Склад продавца"
_WAREHOUSES: Final = (
    "Коледино",
    "Электросталь",
    "Казань",
    "Краснодар",
    "Тула",
    "Екатеринбург",
    "Невинномысск",
    _SELLER_WAREHOUSE,
)
_PLACES: Final = (
    ("Россия", "Центральный федеральный округ", "Московская"),
    ("Россия", "Центральный федеральный округ", "Москва"),
    ("Россия", "Северо-Западный федеральный округ", "Санкт-Петербург"),
    ("Россия", "Приволжский федеральный округ", "Республика Татарстан"),
    ("Россия", "Южный федеральный округ", "Краснодарский край"),
    ("Россия", "Сибирский федеральный округ", "Новосибирская область"),
    ("Россия", "Уральский федеральный округ", "Свердловская область"),
    ("Россия", "Дальневосточный федеральный округ", "Приморский край"),
    ("Беларусь", "", "Минск"),
    ("Казахстан", "", "Алматы"),
)


def moscow_time(seconds: int) -> str:
    """Unix seconds in the format of the report: Moscow time without an offset."""
    return (_MOSCOW_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def order_payload(random: Random, order: SimulatedOrder, change: Change) -> dict[str, Any]:
    """The row of the order after the change."""
    product = random.choice(PRODUCTS)
    cancelled = order.cancelled_at <= change.changed_at
    return {
        "date": moscow_time(order.made_at),
        "lastChangeDate": moscow_time(change.changed_at),
        **_location(random),
        **_product_fields(random, product),
        **_prices(random, product, settled=order.settled_at <= change.changed_at),
        "isCancel": cancelled,
        "cancelDate": moscow_time(order.cancelled_at)
        if cancelled
        else NOT_CANCELLED[order.number % len(NOT_CANCELLED)],
        "sticker": random.choice(("", str(random.randrange(10**9, 10**11)))),
        "gNumber": str(random.randrange(10**19, 10**20)),
        "srid": order.srid,
    }


def _location(random: Random) -> dict[str, Any]:
    warehouse = random.choice(_WAREHOUSES)
    country, district, region = random.choice(_PLACES)
    return {
        "warehouseName": warehouse,
        "warehouseType": _SELLER_WAREHOUSE if warehouse == _SELLER_WAREHOUSE else "Склад WB",
        "countryName": country,
        "oblastOkrugName": district,
        "regionName": region,
    }


def _product_fields(random: Random, product: Product) -> dict[str, Any]:
    size = random.randrange(len(product.sizes))
    color = random.choice(product.colors)
    return {
        "supplierArticle": f"{product.article}/{color[:3]}",
        "nmId": product.nm_id,
        "barcode": str(2_040_000_000_000 + 100 * (product.nm_id % 10**9) + size),
        "category": product.category,
        "subject": product.subject,
        "brand": product.brand,
        "techSize": product.sizes[size],
        "incomeID": random.choice((0, 0, random.randrange(10**7, 10**8))),
        "isSupply": False,
        "isRealization": True,
    }


def _prices(random: Random, product: Product, *, settled: bool) -> dict[str, Any]:
    """Prices in roubles. `spp` is Wildberries' discount; the final prices are 0 until the order is settled."""
    total = product.price + random.choice((0.0, 0.0, 99.0, 149.5))
    discount, spp = random.randint(0, 60), random.randint(5, 35)
    price = round(total * (100 - discount) / 100, 2)
    return {
        "totalPrice": total,
        "discountPercent": discount,
        "spp": spp,
        "finishedPrice": round(price * (100 - spp) / 100, 2) if settled else 0.0,
        "priceWithDisc": price if settled else 0.0,
    }
