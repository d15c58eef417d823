"""Answers that a marketplace rejects: told once, and corrected once."""

import sqlalchemy as sa
from alembic import op

revision = "b5d2f08c71aa"
down_revision = "8d2e5b74f0a6"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
REJECTED = sa.text("answer_state = 'rejected'")


def upgrade() -> None:
    op.add_column("reviews", sa.Column("answer_corrected_at", MOMENT, nullable=True))
    op.add_column("reviews", sa.Column("rejection_told_at", MOMENT, nullable=True))
    op.create_index(
        "ix_reviews_answer_rejected",
        "reviews",
        ["created_at", "id"],
        sqlite_where=REJECTED,
        postgresql_where=REJECTED,
    )


def downgrade() -> None:
    op.drop_index("ix_reviews_answer_rejected", "reviews")
    op.drop_column("reviews", "rejection_told_at")
    op.drop_column("reviews", "answer_corrected_at")
