"""The table schedule_claims: the last claimed tick of each job."""

import sqlalchemy as sa
from alembic import op

revision = "7a41c0e95b12"
down_revision = "2d3b8a10c369"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule_claims",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("last_tick", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_name", name="pk_schedule_claims"),
    )


def downgrade() -> None:
    op.drop_table("schedule_claims")
