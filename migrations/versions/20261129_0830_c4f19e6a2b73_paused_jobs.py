"""Which jobs a person has paused: since when, by whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "c4f19e6a2b73"
down_revision = "b7d2e5f80a41"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "paused_jobs",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("paused_at", MOMENT, nullable=False),
        sa.Column("paused_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("remind_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("job_name", name="pk_paused_jobs"),
    )


def downgrade() -> None:
    op.drop_table("paused_jobs")
