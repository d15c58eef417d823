"""The tables of the service, on the metadata of the telemetry's tables: one chain of migrations creates both."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from service.database import freshness_tables, phone_tables, schedule_tables  # noqa: F401  # so that `Base.metadata` has every table
from service.database.columns import ROW_ID, DecimalColumn
from telemetry.database import UTCDateTime
from telemetry.jobs import Base

__all__ = [
    "AdviceRow",
    "Base",
    "InvalidRow",
    "OrderRow",
    "RateLimitRow",
    "ReviewRow",
    "SyncPositionRow",
]


class RateLimitRow(Base):
    """The rate limiter's state for an account, in Unix seconds by the database's clock.

    Attributes:
        full_at: when the limiter has its full burst again.
        blocked_until: no call is allowed before this time.
    """

    __tablename__ = "paces"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    full_at: Mapped[float]
    blocked_until: Mapped[float]


class ReviewRow(Base):
    """A review as it was last read, without personal data of its author.

    Attributes:
        answer_reason: why the marketplace rejected the answer; None if it did not, or does not say.
        as_of: when it was read.
        digest: hash of the content, to detect changes; "" while `gone_at` is set.
        seen_at: when it was last in a list of unanswered reviews, or read individually.
        gone_at: since when the marketplace does not wait for an answer, though there is none: processed, archived, removed.
        advice_due_at: when an answer is to be drafted; None if none is.
        answer_claimed_at: since when an answer is being published, or is published and not yet confirmed.
        answer_corrected_at: when a correction of a rejected answer was sent the last time.
        rejection_told_at: when the alert about the rejected answer was sent; None while it is not.
    """

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("external_id", "marketplace", name="uq_reviews_external_id_marketplace"),
        Index("ix_reviews_created_at_id", "created_at", "id"),
        Index("ix_reviews_marketplace_created_at_id", "marketplace", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    marketplace: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    rating: Mapped[int] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
    pros: Mapped[str] = mapped_column(Text)
    cons: Mapped[str] = mapped_column(Text)
    product_id: Mapped[str] = mapped_column(String(40))
    product_name: Mapped[str | None] = mapped_column(String(500))
    answered: Mapped[bool]
    answer_text: Mapped[str | None] = mapped_column(Text)
    answer_state: Mapped[str] = mapped_column(String(20))
    answer_reason: Mapped[str | None] = mapped_column(String(500))
    as_of: Mapped[datetime] = mapped_column(UTCDateTime)
    digest: Mapped[str] = mapped_column(String(32))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    advice_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    advice_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    answer_claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answer_corrected_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    rejection_told_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


# The database uses a partial index only for a query with exactly the same condition: constants, not bound parameters.
UNANSWERED: Final = and_(ReviewRow.answered.is_(False), ReviewRow.gone_at.is_(None))
MODERATED: Final = and_(ReviewRow.answer_state == literal_column("'moderation'"), ReviewRow.gone_at.is_(None))
ANSWER_REJECTED: Final = ReviewRow.answer_state == literal_column("'rejected'")
DUE: Final = ReviewRow.advice_due_at.is_not(None)
NAMED: Final = ReviewRow.product_name.is_not(None)


def _partial(name: str, condition: ColumnElement[bool], *columns: InstrumentedAttribute[Any]) -> None:
    Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


_partial("ix_reviews_due", DUE, ReviewRow.created_at, ReviewRow.id, ReviewRow.advice_due_at)
_partial("ix_reviews_waiting", UNANSWERED, ReviewRow.marketplace, ReviewRow.seen_at)
_partial("ix_reviews_in_moderation", MODERATED, ReviewRow.marketplace, ReviewRow.seen_at)
_partial("ix_reviews_answer_rejected", ANSWER_REJECTED, ReviewRow.created_at, ReviewRow.id)
_partial("ix_reviews_product_names", NAMED, ReviewRow.product_id, ReviewRow.marketplace, ReviewRow.product_name)


class OrderRow(Base):
    """An order as it was last read, without personal data of the buyer.

    Attributes:
        quantity: the number of all items together.
        amount: the price of the items in `currency`, which is the first item's.
        items: a list of objects; a price is a string with two decimals.
        as_of: when it was read.
        digest: hash of the content, to detect changes.
        updated_at: when its content last changed in this table.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("external_id", "marketplace", name="uq_orders_external_id_marketplace"),
        Index("ix_orders_ordered_at_id", "ordered_at", "id"),
        Index("ix_orders_marketplace_ordered_at_id", "marketplace", "ordered_at", "id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    marketplace: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str] = mapped_column(String(100))
    order_number: Mapped[str] = mapped_column(String(100))
    scheme: Mapped[str] = mapped_column(String(10))
    ordered_at: Mapped[datetime] = mapped_column(UTCDateTime)
    status: Mapped[str] = mapped_column(String(50))
    substatus: Mapped[str | None] = mapped_column(String(50))
    cancelled: Mapped[bool]
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    quantity: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(DecimalColumn(14, 2))
    currency: Mapped[str] = mapped_column(String(3))
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    as_of: Mapped[datetime] = mapped_column(UTCDateTime)
    digest: Mapped[str] = mapped_column(String(32))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """What the items cost together, by currency. An item without a known price is in none."""
        sums: dict[str, Decimal] = {}
        for item in self.items:
            if currency := item["currency"]:
                sums[currency] = sums.get(currency, Decimal(0)) + item["quantity"] * Decimal(item["price"])
        return sums


class AdviceRow(Base):
    """An attempt to draft an answer. `outcome` is `drafted`, or the kind of failure: see `service.advice.outcomes`.

    Attributes:
        failed_checks: why a draft is held, by the words of `names.CHECKS`; None for others.
    """

    __tablename__ = "advice"
    __table_args__ = (Index("ix_advice_review_id", "review_id"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    review_id: Mapped[int] = mapped_column(
        ForeignKey("reviews.id", ondelete="CASCADE", name="fk_advice_review_id_reviews")
    )
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    outcome: Mapped[str] = mapped_column(String(20))
    text: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(100))
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost_usd: Mapped[Decimal | None] = mapped_column(DecimalColumn(12, 6))
    reason: Mapped[str | None] = mapped_column(String(500))
    failed_checks: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class SyncPositionRow(Base):
    """The cursor of a source: how far it was read.

    Attributes:
        began_at: when the current or last pass over the source began.
        finished_at: when that pass was finished; None while it is not.
        stalled_since: since when the source has had more than this position says; None if it has moved since.
        completed_at: when the newest pass that was finished ended, by the database's clock. It stays while another goes on.
        last_error: why the source, or a review that is missing in it, could not be read, the last time that it could not.
    """

    __tablename__ = "sync_positions"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[dict[str, Any]] = mapped_column(JSON)
    began_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    stalled_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_error: Mapped[str | None] = mapped_column(String(500))
    last_error_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class InvalidRow(Base):
    """Dead-letter table: a row of a source that could not be read. Equal rows are stored once; `times` counts them."""

    __tablename__ = "invalid_rows"
    __table_args__ = (
        UniqueConstraint("source", "fingerprint", name="uq_invalid_rows_source_fingerprint"),
        Index("ix_invalid_rows_source_external_id", "source", "external_id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(60))
    external_id: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(String(500))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(32))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    times: Mapped[int]
