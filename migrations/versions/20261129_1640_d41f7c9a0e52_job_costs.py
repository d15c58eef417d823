"""The CPU time and the cost of each job run, which earlier runs have not, and what was used by day."""

import sqlalchemy as sa
from alembic import op

revision = "d41f7c9a0e52"
down_revision = "d3b8f06e5a17"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("cpu_seconds", sa.Float(), nullable=True))
    op.add_column("job_runs", sa.Column("cost_usd", sa.Float(), nullable=True))
    op.create_table(
        "cost_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("resource", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("machine", sa.String(255), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("usd", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("day", "resource", "kind", "name", "machine", name="pk_cost_days"),
    )
    op.create_table(
        "cost_stores",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("machine", sa.String(255), nullable=False),
        sa.Column("counted_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "machine", name="pk_cost_stores"),
    )


def downgrade() -> None:
    op.drop_table("cost_stores")
    op.drop_table("cost_days")
    op.drop_column("job_runs", "cost_usd")
    op.drop_column("job_runs", "cpu_seconds")
