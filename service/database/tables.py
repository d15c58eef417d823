"""The service's own tables, on the same metadata as the telemetry's, so that one chain of migrations makes both."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from telemetry.database import UTCDateTime
from telemetry.jobs import Base

__all__ = [
    "AdviceRow",
    "Base",
    "InvalidRowRow",
    "MissedRunRow",
    "OrderRow",
    "RateLimitRow",
    "ReviewRow",
    "ScheduleClaim",
    "ScheduleWatchRow",
    "SyncPositionRow",
]
# SQLite numbers rows by itself only where the key is an INTEGER.
_Id: Final = BigInteger().with_variant(Integer, "sqlite")


class DecimalColumn(TypeDecorator[Decimal]):
    """A decimal number: exact on PostgreSQL, and up to 15 digits on SQLite, which keeps it as a float."""

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return Numeric(self.precision, self.scale, asdecimal=False)
        return Numeric(self.precision, self.scale)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale))


class ScheduleClaim(Base):
    """The tick of each job that was claimed last, and the run that goes on.

    Attributes:
        holder: the run that goes on, or went on until its process was killed.
        held_until: when it counts as ended unless it says again that it goes on, in Unix seconds as those of `RateLimitRow`.
    """

    __tablename__ = "schedule_claims"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    holder: Mapped[str | None] = mapped_column(String(40))
    held_until: Mapped[float | None]


class ScheduleWatchRow(Base):
    """How far the ticks of a job have been looked at, and when somebody who runs the job was last there.

    Ticks up to `watched_until` are accounted for. `seen_at` is renewed by every process that runs the job; a job's ticks are
    counted anew when its `cadence` changes. `back_at` is when somebody was there again after nobody was.
    """

    __tablename__ = "schedule_watch"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    cadence: Mapped[str] = mapped_column(String(200))
    watched_until: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    back_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class MissedRunRow(Base):
    """Ticks of a job for which no run began: `kind` is `missed`, or `downtime` where nobody was there to begin it."""

    __tablename__ = "missed_runs"
    __table_args__ = (Index("ix_missed_runs_job_name_id", "job_name", "id"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    job_name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    first_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    last_tick: Mapped[datetime] = mapped_column(UTCDateTime)
    ticks: Mapped[int] = mapped_column(Integer)
    noticed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RateLimitRow(Base):
    """When the next call of an account may begin, in Unix seconds of whoever's clock `service.marketplaces.pace` goes by."""

    __tablename__ = "paces"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    full_at: Mapped[float]
    blocked_until: Mapped[float]


class ReviewRow(Base):
    """A review as it was last read; nothing in it says who wrote it.

    Attributes:
        digest: of the content, to tell what is unchanged; "" is no content's.
        seen_at: when it was last met in a list of what waits for an answer, or read by itself.
        gone_at: when the marketplace said that it has no such review any more.
        advice_due_at: when an answer is to be drafted; None: there is nothing to draft.
        answer_claimed_at: since when somebody publishes an answer, or did and it is not confirmed.
    """

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("external_id", "marketplace", name="uq_reviews_external_id_marketplace"),
        Index("ix_reviews_created_at_id", "created_at", "id"),
        Index("ix_reviews_marketplace_created_at_id", "marketplace", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
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
    as_of: Mapped[datetime] = mapped_column(UTCDateTime)
    digest: Mapped[str] = mapped_column(String(32))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    advice_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    advice_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    answer_claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


# A partial index is used by a query that says the same in the same words; a parameter in place of a constant is another word.
UNANSWERED: Final = and_(ReviewRow.answered.is_(False), ReviewRow.gone_at.is_(None))
MODERATED: Final = and_(ReviewRow.answer_state == literal_column("'moderation'"), ReviewRow.gone_at.is_(None))
DUE: Final = ReviewRow.advice_due_at.is_not(None)
NAMED: Final = ReviewRow.product_name.is_not(None)


def _partial(name: str, condition: ColumnElement[bool], *columns: InstrumentedAttribute[Any]) -> None:
    Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


_partial("ix_reviews_due", DUE, ReviewRow.created_at, ReviewRow.id, ReviewRow.advice_due_at)
_partial("ix_reviews_waiting", UNANSWERED, ReviewRow.marketplace, ReviewRow.seen_at)
_partial("ix_reviews_in_moderation", MODERATED, ReviewRow.marketplace, ReviewRow.seen_at)
_partial("ix_reviews_product_names", NAMED, ReviewRow.product_id, ReviewRow.marketplace, ReviewRow.product_name)


class OrderRow(Base):
    """An order as it was last read; nothing in it says who bought.

    Attributes:
        quantity: of all items together.
        amount: what they cost together, in `currency`.
        items: as objects; a price is a text with two digits.
        digest: of the content, to tell what is unchanged.
        updated_at: when its content last changed here.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("external_id", "marketplace", name="uq_orders_external_id_marketplace"),
        Index("ix_orders_ordered_at_id", "ordered_at", "id"),
        Index("ix_orders_marketplace_ordered_at_id", "marketplace", "ordered_at", "id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    marketplace: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str] = mapped_column(String(100))
    order_number: Mapped[str] = mapped_column(String(100))
    scheme: Mapped[str] = mapped_column(String(10))
    ordered_at: Mapped[datetime] = mapped_column(UTCDateTime)
    status: Mapped[str] = mapped_column(String(50))
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


class AdviceRow(Base):
    """A draft of an answer, or the attempt at one. `outcome` is `drafted`, or the word of what went wrong."""

    __tablename__ = "advice"
    __table_args__ = (Index("ix_advice_review_id", "review_id"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
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


class SyncPositionRow(Base):
    """How far a source was read. `began_at` is when the reading began, which goes on until it is finished."""

    __tablename__ = "sync_positions"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[dict[str, Any]] = mapped_column(JSON)
    began_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class InvalidRowRow(Base):
    """What could not be read, kept aside; one row for what is the same thing, however `times` it was met."""

    __tablename__ = "invalid_rows"
    __table_args__ = (
        UniqueConstraint("source", "fingerprint", name="uq_invalid_rows_source_fingerprint"),
        Index("ix_invalid_rows_source_external_id", "source", "external_id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(60))
    external_id: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(String(500))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(32))
    first_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    times: Mapped[int]
