"""Leases in schedule_claims: which run of a job is active, and when its lease expires."""

import sqlalchemy as sa
from alembic import op

revision = "9b4d17c3e8a5"
down_revision = "c5e80f2b6d94"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule_claims", sa.Column("holder", sa.String(40), nullable=True))
    op.add_column("schedule_claims", sa.Column("held_until", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("schedule_claims", "held_until")
    op.drop_column("schedule_claims", "holder")
