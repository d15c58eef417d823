"""Schemas of the API for orders: the query, and the response."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.pagination import PageQuery, Rfc3339


class OrdersQuery(PageQuery):
    """Which orders. A filter that is there and empty filters nothing."""

    marketplace: Literal["wb", "ozon"] | None = None
    scheme: Literal["fbo", "fbs", "unknown"] | None = None
    cancelled: bool | None = None
    since: Rfc3339 | None = Field(None, description="ordered then or later, such as 2025-10-02T12:00:00Z")


class ItemOut(BaseModel):
    product_id: str
    article: str
    name: str
    quantity: int
    price: Decimal
    currency: str


class OrderOut(BaseModel):
    """An order of Wildberries, or a posting of Ozon. `amount` is what all items cost together."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    marketplace: str
    external_id: str
    order_number: str
    scheme: str
    ordered_at: datetime
    status: str
    cancelled: bool
    cancelled_at: datetime | None
    quantity: int
    amount: Decimal
    currency: str
    items: list[ItemOut]
    updated_at: datetime


class OrdersOut(BaseModel):
    orders: list[OrderOut]
