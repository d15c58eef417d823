"""The tables for the marketplaces: reviews, orders, advice, sync positions, invalid rows, rate limits."""

import sqlalchemy as sa
from alembic import op

revision = "c5e80f2b6d94"
down_revision = "7a41c0e95b12"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the key is an INTEGER.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _reviews()
    _orders()
    _advice()
    _readings()


def _reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("marketplace", sa.String(20), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("pros", sa.Text(), nullable=False),
        sa.Column("cons", sa.Text(), nullable=False),
        sa.Column("product_id", sa.String(40), nullable=False),
        sa.Column("product_name", sa.String(500), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("answer_text", sa.Text(), nullable=True),
        sa.Column("answer_state", sa.String(20), nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("gone_at", MOMENT, nullable=True),
        sa.Column("advice_due_at", MOMENT, nullable=True),
        sa.Column("advice_attempts", sa.SmallInteger(), nullable=False),
        sa.Column("answer_claimed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint("external_id", "marketplace", name="uq_reviews_external_id_marketplace"),
    )
    op.create_index("ix_reviews_created_at_id", "reviews", ["created_at", "id"])
    op.create_index("ix_reviews_marketplace_created_at_id", "reviews", ["marketplace", "created_at", "id"])
    _partial("ix_reviews_due", ["created_at", "id", "advice_due_at"], "advice_due_at IS NOT NULL")
    _partial("ix_reviews_waiting", ["marketplace", "seen_at"], "answered IS {false} AND gone_at IS NULL")
    _partial("ix_reviews_in_moderation", ["marketplace", "seen_at"], "answer_state = 'moderation' AND gone_at IS NULL")
    _partial("ix_reviews_product_names", ["product_id", "marketplace", "product_name"], "product_name IS NOT NULL")


def _partial(name: str, columns: list[str], condition: str) -> None:
    op.create_index(
        name,
        "reviews",
        columns,
        sqlite_where=sa.text(condition.format(false="0")),
        postgresql_where=sa.text(condition.format(false="false")),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("marketplace", sa.String(20), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.Column("order_number", sa.String(100), nullable=False),
        sa.Column("scheme", sa.String(10), nullable=False),
        sa.Column("ordered_at", MOMENT, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("cancelled_at", MOMENT, nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(14, 2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("external_id", "marketplace", name="uq_orders_external_id_marketplace"),
    )
    op.create_index("ix_orders_ordered_at_id", "orders", ["ordered_at", "id"])
    op.create_index("ix_orders_marketplace_ordered_at_id", "orders", ["marketplace", "ordered_at", "id"])


def _advice() -> None:
    op.create_table(
        "advice",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("review_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(12, 6), nullable=True),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_advice"),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name="fk_advice_review_id_reviews", ondelete="CASCADE"),
    )
    op.create_index("ix_advice_review_id", "advice", ["review_id"])


def _readings() -> None:
    op.create_table(
        "sync_positions",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sync_positions"),
    )
    op.create_table(
        "invalid_rows",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invalid_rows"),
        sa.UniqueConstraint("source", "fingerprint", name="uq_invalid_rows_source_fingerprint"),
    )
    op.create_index("ix_invalid_rows_source_external_id", "invalid_rows", ["source", "external_id"])
    op.create_table(
        "paces",
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("full_at", sa.Float(), nullable=False),
        sa.Column("blocked_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_paces"),
    )


def downgrade() -> None:
    for table in ("paces", "invalid_rows", "sync_positions", "advice", "orders", "reviews"):
        op.drop_table(table)
