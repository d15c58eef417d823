"""Schemas of the API for reviews: queries, bodies and responses."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.pagination import PageQuery, Rfc3339

MarketplaceName = Literal["wb", "ozon"]


class ReviewsQuery(PageQuery):
    """Which reviews. A filter that is there and empty filters nothing."""

    marketplace: MarketplaceName | None = None
    rating: int | None = Field(None, ge=1, le=5)
    answered: bool | None = None
    since: Rfc3339 | None = Field(None, description="created then or later, such as 2025-10-02T12:00:00Z")


class ReviewOut(BaseModel):
    """A review. `answer_state` is `none`, `moderation`, `published` or `rejected`; `answer_reason` is why the marketplace
    rejected the answer, if it says so. `gone_at` is since when the marketplace no longer lists it as waiting, without an
    answer: archived, or removed. An `answered` review whose `answer_state` is `none` was processed without an answer.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    marketplace: str
    external_id: str
    created_at: datetime
    rating: int
    text: str
    pros: str
    cons: str
    product_id: str
    product_name: str | None
    answered: bool
    answer_text: str | None
    answer_state: str
    answer_reason: str | None
    first_seen_at: datetime
    gone_at: datetime | None


class ReviewsOut(BaseModel):
    reviews: list[ReviewOut]


class AdviceOut(BaseModel):
    """A draft. `outcome` is `drafted`, or says what went wrong, and `reason` why; `cost_usd` is null where it is unknown."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_at: datetime
    outcome: str
    text: str | None
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    reason: str | None


class ReviewWithAdviceOut(ReviewOut):
    advice: AdviceOut | None


class AnswerIn(BaseModel):
    """What to publish; without a text it is the newest draft."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, max_length=5000)


class AnswerOut(BaseModel):
    """`published`: the marketplace shows it; `sent`: it was taken, and a sync will see it."""

    state: Literal["published", "sent"]
    text: str
