"""The parts that postings of both schemes are made of: products, money, and whether somebody asked for them."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from service.sandbox.ozon.method import Body, rfc3339
from service.sandbox.ozon.people import CITIES, legal_info
from service.sandbox.ozon.posting_model import CANCELLED, Posting
from service.sandbox.ozon.products import Product
from service.sandbox.simulation import Simulation


class With(Body):
    """What is asked for beyond the bare posting. The rest comes as null."""

    analytics_data: bool = False
    barcodes: bool = False
    financial_data: bool = False
    legal_info: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryMethod:
    id: int
    name: str
    warehouse_id: int
    warehouse: str
    provider_id: int
    provider: str


METHODS: Final = (
    DeliveryMethod(22_100_001, "Ozon Логистика самостоятельно", 18_500_001, "Основной склад", 24, "Ozon Логистика"),
    DeliveryMethod(22_100_002, "Ozon Логистика курьеру", 18_500_002, "Склад на Примерной", 24, "Ozon Логистика"),
)
_CLUSTERS: Final = ("Примерный центр", "Песочный север", "Тестовый юг")
_REASONS: Final = (
    (352, "Товар закончился на складе продавца", "seller", "Продавец"),
    (402, "Покупатель отменил заказ", "client", "Клиент"),
    (504, "Покупатель не забрал заказ", "ozon", "Ozon"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A posting as it is shown at a moment, to somebody who asked for some parts of it."""

    simulation: Simulation
    posting: Posting
    now: datetime
    wanted: With

    def random(self, part: str) -> Random:
        """One for each part, so that none of them changes with what else was asked for, nor with time."""
        return self.simulation.random("ozon-posting", self.posting.number, part)

    @property
    def status(self) -> str:
        return self.posting.last_change(self.now).status

    def moment_of(self, status: str) -> str | None:
        moment = self.posting.moment_of(status, self.now)
        return rfc3339(moment) if moment else None


def head(shown: Shown) -> dict[str, Any]:
    """What stands first in each posting; `in_process_at` is null where the buyer pays late."""
    posting = shown.posting
    return {
        "posting_number": posting.posting_number,
        "order_id": posting.order_id,
        "order_number": posting.order_number,
        "status": shown.status,
        "substatus": _substatus(shown),
        "in_process_at": None if posting.is_paid_late else rfc3339(posting.created_at),
    }


def _substatus(shown: Shown) -> str:
    return {
        "awaiting_packaging": "posting_created",
        "awaiting_deliver": "posting_registered",
        "delivering": "posting_on_way_to_city",
        "delivered": "posting_received",
        CANCELLED: "posting_canceled",
    }[shown.status]


def sold(product: Product, quantity: int) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "offer_id": product.offer_id,
        "name": product.name,
        "quantity": quantity,
        "price": {"amount": product.amount, "currency": "RUB"},
        "is_marketplace_buyout": False,
    }


def reason_of(shown: Shown) -> tuple[int, str, str, str] | None:
    """Of the cancellation: number, sentence, type, initiator."""
    return shown.random("reason").choice(_REASONS) if shown.status == CANCELLED else None


def financial_data(shown: Shown) -> dict[str, Any] | None:
    random = shown.random("financial")
    if not shown.wanted.financial_data or random.random() < 0.2:  # noqa: PLR2004  # not everything is settled
        return None
    return {
        "cluster_from": random.choice(_CLUSTERS),
        "cluster_to": random.choice(_CLUSTERS),
        "products": [_settled(random, product, quantity) for product, quantity in shown.posting.contents],
    }


def _settled(random: Random, product: Product, quantity: int) -> dict[str, Any]:
    percent = random.choice((15, 18, 22))
    fee = round(product.price * percent / 100, 2)
    return {
        "product_id": product.sku,
        "price": float(product.price),
        "old_price": float(product.price * 5 // 4),
        "payout": round(product.price - fee, 2),
        "quantity": quantity,
        "commission": {"amount": fee, "percent": percent, "currency": "RUB"},
        "customer_price": {"amount": f"{product.price * 0.95:.2f}", "currency": "RUB"},
        "total_discount_value": float(product.price * 5 // 4 - product.price),
        "total_discount_percent": 20.0,
        "actions": random.choice(([], [], ["Системная виртуальная скидка селлера"])),
    }


def legal(shown: Shown) -> dict[str, Any] | None:
    random = shown.random("legal")
    return legal_info(random) if shown.wanted.legal_info and is_company(shown) else None


def is_company(shown: Shown) -> bool:
    return shown.random("company").random() < 0.1  # noqa: PLR2004  # one buyer in ten


def destination(shown: Shown) -> tuple[str, str]:
    """City and region."""
    return shown.random("destination").choice(CITIES)
