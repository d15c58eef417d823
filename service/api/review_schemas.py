"""Schemas of the API for reviews: queries, bodies and responses."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from service.api.pagination import PageQuery, Rfc3339

MarketplaceName = Literal["wb", "ozon"]
DraftCheck = Literal[
    "link", "phone", "email", "promise", "personal_data", "prompt_leak", "markup", "hidden_characters", "length", "language",
    "profanity",
]  # fmt: skip
AnswerState = Literal["none", "moderation", "published", "rejected"]


class ReviewsQuery(PageQuery):
    """Which reviews. A filter that is there and empty filters nothing."""

    marketplace: MarketplaceName | None = None
    rating: int | None = Field(None, ge=1, le=5)
    answered: bool | None = None
    answer_state: AnswerState | None = None
    since: Rfc3339 | None = Field(None, description="created then or later, such as 2025-10-02T12:00:00Z")


class ReviewOut(BaseModel):
    """A review. `rating` is 0 if the marketplace's cannot be read. `answer_state` is `none`, `moderation`, `published` or `rejected`;
    `answer_reason` is why the marketplace rejected the answer, if it says so. `gone_at` is since when the marketplace does not wait for an
    answer, though there is none: processed, archived, or removed. An `answered` review whose `answer_state` is `none` was processed without
    an answer.
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
    """A draft. `outcome` is `drafted`, or says what went wrong, and `reason` why; `cost_usd` is null where it is unknown.

    A draft that is `held` has failed checks: it is published only as a text of your own.
    """

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
    failed_checks: list[DraftCheck] = Field([], description="why the draft is held")

    @field_validator("failed_checks", mode="before")
    @classmethod
    def _none_failed(cls, value: list[DraftCheck] | None) -> list[DraftCheck]:
        return value or []


class ReviewWithAdviceOut(ReviewOut):
    advice: AdviceOut | None


class AnswerIn(BaseModel):
    """What to publish; without a text it is the newest draft, unless a check holds it. A rejected answer is corrected by a text alone."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, max_length=5000)


class AnswerOut(BaseModel):
    """`published`: the marketplace shows it; `sent`: it was taken, and a sync will see it."""

    state: Literal["published", "sent"]
    text: str
