"""Schemas of the API for reviews: queries, bodies and responses."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from service.api.schemas.filters import PageQuery
from service.api.schemas.parameters import MarketplaceName, Rfc3339

DraftCheck = Literal[
    "link", "phone", "email", "promise", "personal_data", "prompt_leak", "markup", "hidden_characters", "length", "language",
    "profanity",
]  # fmt: skip
AnswerState = Literal["none", "moderation", "published", "rejected"]


class ReviewsQuery(PageQuery):
    """Which reviews. A filter that is there and empty filters nothing."""

    marketplace: MarketplaceName | None = Field(None, description="Only reviews of this marketplace.")
    rating: int | None = Field(None, ge=1, le=5, description="Only reviews with this many stars.", examples=[1])
    answered: bool | None = Field(
        None, description="Only reviews that are answered or processed (`true`), or only the others (`false`)."
    )
    answer_state: AnswerState | None = Field(None, description="Only reviews whose answer is in this state.")
    since: Rfc3339 | None = Field(None, description="Only reviews of that time or later.")


class ReviewOut(BaseModel):
    """A review, without personal data of its author."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="The id of the review in this service.", examples=[77])
    marketplace: str = Field(description="The marketplace: `wb` or `ozon`.", examples=["wb"])
    external_id: str = Field(description="The marketplace's id of the review.", examples=["YX52RZEBhH9mrcYdEJuD"])
    created_at: datetime = Field(description="When the buyer wrote it.")
    rating: int = Field(description="Stars from 1 to 5; 0 if the rating cannot be read.", examples=[4])
    text: str = Field(description="The text of the review; may be empty.", examples=["Good mug, arrived quickly."])
    pros: str = Field(description="What the buyer liked; may be empty.", examples=["Colour"])
    cons: str = Field(description="What the buyer did not like; may be empty.", examples=["Thin handle"])
    product_id: str = Field(
        description="The marketplace's id of the product: `nmId` of Wildberries, SKU of Ozon.", examples=["204518376"]
    )
    product_name: str | None = Field(
        description="The name of the product; null if it is unknown.", examples=["Mug, 330 ml, blue"]
    )
    answered: bool = Field(
        description="Whether the marketplace counts it as answered. With `answer_state` `none` it was processed without an "
        "answer.",
        examples=[True],
    )
    answer_text: str | None = Field(
        description="The answer as the marketplace shows it.", examples=["Thank you for your review!"]
    )
    answer_state: str = Field(
        description="`none`: there is no answer. `moderation`: the marketplace checks it. `published`: buyers see it. "
        "`rejected`: the marketplace did not publish it.",
        examples=["published"],
    )
    answer_reason: str | None = Field(
        description="Why the marketplace rejected the answer, if it says so.", examples=[None]
    )
    first_seen_at: datetime = Field(description="When the service first read the review.")
    gone_at: datetime | None = Field(
        description="Since when the marketplace waits for no answer, though there is none. The review was processed, archived "
        "or removed.",
        examples=[None],
    )


class ReviewsOut(BaseModel):
    """One page of reviews."""

    reviews: list[ReviewOut] = Field(description="The reviews, newest first.")


class AdviceOut(BaseModel):
    """A draft of an answer, or why there is none."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="The id of the draft.", examples=[31])
    created_at: datetime = Field(description="When it was drafted.")
    outcome: str = Field(
        description="`drafted`: a text that can be published. `held`: a text that failed a check, and is published only if it is "
        "sent as `text`. Other values say what went wrong: `refused`, `incomplete`, `failed`, `empty`, `html`, "
        "`broken_json`, `unstructured`, `quota`, `error`.",
        examples=["drafted"],
    )
    text: str | None = Field(
        description="The drafted answer; null if there is none.",
        examples=["Thank you! We will pass your remark on the handle to the manufacturer."],
    )
    model: str = Field(description="The model that drafted it.", examples=["gpt-4o-mini"])
    input_tokens: int | None = Field(description="Tokens that the request used.", examples=[412])
    output_tokens: int | None = Field(description="Tokens that the response used.", examples=[58])
    cost_usd: Decimal | None = Field(
        description="What it cost, in US dollars; null if the price of the model is unknown.", examples=["0.000097"]
    )
    reason: str | None = Field(description="What went wrong, in one sentence.", examples=[None])
    failed_checks: list[DraftCheck] = Field([], description="The checks that hold the draft.", examples=[[]])

    @field_validator("failed_checks", mode="before")
    @classmethod
    def _none_failed(cls, value: list[DraftCheck] | None) -> list[DraftCheck]:
        return value or []


class ReviewWithAdviceOut(ReviewOut):
    """A review with the newest draft of an answer."""

    advice: AdviceOut | None = Field(description="The newest draft; null if none was made.")


class AnswerIn(BaseModel):
    """What to publish."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(
        None,
        max_length=5000,
        description="The answer. Without it the newest draft is published, unless a check holds the draft. A rejected answer is "
        "corrected by a text alone.",
        examples=["Thank you for your review!"],
    )


class AnswerOut(BaseModel):
    """What was published."""

    state: Literal["published", "sent"] = Field(
        description="`published`: the marketplace shows the answer. `sent`: the marketplace accepted it; a later sync will see it.",
        examples=["published"],
    )
    text: str = Field(description="The text of the answer.", examples=["Thank you for your review!"])
