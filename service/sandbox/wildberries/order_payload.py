"""A row of Wildberries' report of orders."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from service.sandbox.wildberries.order_model import Change, Order
from service.sandbox.wildberries.products import PRODUCTS, Product

NOT_CANCELLED: Final = "0001-01-01T00:00:00"
_MOSCOW_AT_ZERO: Final = datetime(1970, 1, 1, 3, tzinfo=UTC)
_SELLERS: Final = "Склад продавца"
_WAREHOUSES: Final = (
    "Коледино",
    "Электросталь",
    "Казань",
    "Краснодар",
    "Тула",
    "Екатеринбург",
    "Невинномысск",
    _SELLERS,
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


def moscow(moment: int) -> str:
    """Unix seconds as the report writes them, without an offset."""
    return (_MOSCOW_AT_ZERO + timedelta(seconds=moment)).isoformat()[:19]


def row(random: Random, order: Order, change: Change) -> dict[str, Any]:
    """The order as it is after the change."""
    product = random.choice(PRODUCTS)
    cancelled = order.cancelled_at <= change.at
    return {
        "date": moscow(order.made_at),
        "lastChangeDate": moscow(change.at),
        **_place(random),
        **_goods(random, product),
        **_money(random, product, settled=order.settled_at <= change.at),
        "isCancel": cancelled,
        "cancelDate": moscow(order.cancelled_at) if cancelled else NOT_CANCELLED,
        "sticker": random.choice(("", str(random.randrange(10**9, 10**11)))),
        "gNumber": str(random.randrange(10**19, 10**20)),
        "srid": order.srid,
    }


def _place(random: Random) -> dict[str, Any]:
    warehouse = random.choice(_WAREHOUSES)
    country, district, region = random.choice(_PLACES)
    return {
        "warehouseName": warehouse,
        "warehouseType": _SELLERS if warehouse == _SELLERS else "Склад WB",
        "countryName": country,
        "oblastOkrugName": district,
        "regionName": region,
    }


def _goods(random: Random, product: Product) -> dict[str, Any]:
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


def _money(random: Random, product: Product, *, settled: bool) -> dict[str, Any]:
    """In roubles. `spp` is the discount that Wildberries gives; what it comes to is not known at once."""
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
