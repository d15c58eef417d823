"""Presses of Telegram's buttons that one machine has read, and another one handles."""

import sqlalchemy as sa
from alembic import op

revision = "e3a7c05d9b12"
down_revision = "d41f7c9a0e52"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "relayed_presses",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("data", sa.String(64), nullable=False),
        sa.Column("query_id", sa.String(64), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("person_name", sa.String(100), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_name", sa.String(100), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("pressed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_relayed_presses"),
    )


def downgrade() -> None:
    op.drop_table("relayed_presses")
