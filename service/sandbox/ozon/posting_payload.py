"""The parts of a posting that both schemes share: products, prices, and the parts that the request includes."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from service.sandbox.ozon.method import Body, rfc3339
from service.sandbox.ozon.people import CITIES, legal_info
from service.sandbox.ozon.posting_model import CANCELLED, NOT_ACCEPTED, SPLIT, VERIFICATION, Posting
from service.sandbox.ozon.products import Product
from service.sandbox.simulation import Simulation


class IncludedParts(Body):
    """The optional parts that a request includes. The other parts are null."""

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


DELIVERY_METHODS: Final = (
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
class PostingView:
    """A posting at a time, with the parts that a request includes."""

    simulation: Simulation
    posting: Posting
    now: datetime
    included: IncludedParts

    def random(self, part: str) -> Random:
        """A generator for each part: its values depend neither on the other included parts nor on the time."""
        return self.simulation.random("ozon-posting", self.posting.number, part)

    @property
    def status(self) -> str:
        return self.posting.last_change(self.now).status

    def reached_at(self, status: str) -> str | None:
        timestamp = self.posting.reached_at(status, self.now)
        return rfc3339(timestamp) if timestamp else None


def common_fields(view: PostingView) -> dict[str, Any]:
    """The first fields of every posting; `in_process_at` is null if the buyer pays late."""
    posting = view.posting
    return {
        "posting_number": posting.posting_number,
        "order_id": posting.order_id,
        "order_number": posting.order_number,
        "status": view.status,
        "substatus": _substatus(view),
        "in_process_at": None if posting.is_paid_late else rfc3339(posting.created_at),
    }


def _substatus(view: PostingView) -> str:
    return {
        "awaiting_packaging": "posting_created",
        "awaiting_deliver": "posting_registered",
        "delivering": "posting_on_way_to_city",
        "delivered": "posting_received",
        CANCELLED: "posting_canceled",
        SPLIT: "posting_canceled",
        VERIFICATION: "posting_created",
        NOT_ACCEPTED: "posting_not_in_sort_center",
    }[view.status]


def product_payload(product: Product, quantity: int) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "offer_id": product.offer_id,
        "name": product.name,
        "quantity": quantity,
        "price": {"amount": product.amount, "currency": "RUB"},
        "is_marketplace_buyout": False,
    }


def cancellation_reason(view: PostingView) -> tuple[int, str, str, str] | None:
    """Number, text, type and initiator; None if the posting is not cancelled."""
    return view.random("reason").choice(_REASONS) if view.status == CANCELLED else None


def financial_data(view: PostingView) -> dict[str, Any] | None:
    random = view.random("financial")
    if not view.included.financial_data or random.random() < 0.2:  # noqa: PLR2004  # the share of postings that are not settled
        return None
    return {
        "cluster_from": random.choice(_CLUSTERS),
        "cluster_to": random.choice(_CLUSTERS),
        "products": [_financial_product(random, product, quantity) for product, quantity in view.posting.contents],
    }


def _financial_product(random: Random, product: Product, quantity: int) -> dict[str, Any]:
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


def legal_data(view: PostingView) -> dict[str, Any] | None:
    random = view.random("legal")
    return legal_info(random) if view.included.legal_info and is_company(view) else None


def is_company(view: PostingView) -> bool:
    return view.random("company").random() < 0.1  # noqa: PLR2004  # one buyer of ten


def destination(view: PostingView) -> tuple[str, str]:
    """City and region."""
    return view.random("destination").choice(CITIES)
