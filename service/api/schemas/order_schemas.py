"""Schemas of the API for orders."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.filters import PageQuery
from service.api.schemas.parameters import MarketplaceName, Rfc3339


class OrdersQuery(PageQuery):
    """Which orders. A filter that is there and empty filters nothing."""

    marketplace: MarketplaceName | None = Field(None, description="Only orders of this marketplace.")
    scheme: Literal["fbo", "fbs", "unknown"] | None = Field(
        None, description="Only orders that are delivered so: by the marketplace (`fbo`) or by the seller (`fbs`)."
    )
    cancelled: bool | None = Field(None, description="Only cancelled orders (`true`), or only the others (`false`).")
    since: Rfc3339 | None = Field(None, description="Only orders of that time or later.")


class ItemOut(BaseModel):
    """One product of an order."""

    product_id: str = Field(
        description="The marketplace's id of the product: `nmId` of Wildberries, SKU of Ozon.", examples=["204518376"]
    )
    article: str = Field(description="The seller's own article number.", examples=["MUG-330-BLUE"])
    name: str = Field(description="The name of the product; may be empty.", examples=["Mug, 330 ml, blue"])
    quantity: int = Field(description="How many pieces.", examples=[2])
    price: Decimal = Field(description="The price of one piece; 0 if it is unknown.", examples=["499.00"])
    currency: str = Field(description="The currency of the price (ISO 4217); empty if it is unknown.", examples=["RUB"])


class OrderOut(BaseModel):
    """An order of Wildberries, or a posting of Ozon.

    A posting that Ozon split (`cancelled_from_split_pending`) is `cancelled` and has no items: they are in the postings that
    it was split into, so that no sum counts them twice.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="The id of the order in this service.", examples=[512])
    marketplace: str = Field(description="The marketplace: `wb` or `ozon`.", examples=["ozon"])
    external_id: str = Field(
        description="The marketplace's id: `srid` of Wildberries, the posting number of Ozon.",
        examples=["89912345-0042-1"],
    )
    order_number: str = Field(
        description="The number that the postings of one order share.", examples=["89912345-0042"]
    )
    scheme: str = Field(
        description="Who delivers: the marketplace (`fbo`), the seller (`fbs`), or `unknown`.", examples=["fbs"]
    )
    ordered_at: datetime = Field(description="When the buyer ordered.")
    status: str = Field(description="The status in the marketplace's own words.", examples=["delivering"])
    substatus: str | None = Field(
        description="The status in more detail, if the marketplace gives one.", examples=["posting_in_carriage"]
    )
    cancelled: bool = Field(description="Whether it was cancelled.", examples=[False])
    cancelled_at: datetime | None = Field(
        description="When it was cancelled; null if it was not, or the time is unknown.", examples=[None]
    )
    quantity: int = Field(description="How many pieces all items have together.", examples=[2])
    amount: Decimal = Field(description="What the items in `currency` cost together.", examples=["998.00"])
    currency: str = Field(description="The currency of the first item (ISO 4217).", examples=["RUB"])
    amounts: dict[str, Decimal] = Field(
        description="What the items cost together, by currency. Items without a known price are in none.",
        examples=[{"RUB": "998.00"}],
    )
    items: list[ItemOut] = Field(description="The products of the order.")
    updated_at: datetime = Field(description="When the service last stored a change of the order.")


class OrdersOut(BaseModel):
    """One page of orders."""

    orders: list[OrderOut] = Field(description="The orders, newest first.")
