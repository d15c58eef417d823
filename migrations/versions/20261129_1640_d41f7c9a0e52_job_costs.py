"""The CPU time and the cost of each job run. Earlier runs have none."""

import sqlalchemy as sa
from alembic import op

revision = "d41f7c9a0e52"
down_revision = "c4f19e6a2b73"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("cpu_seconds", sa.Float(), nullable=True))
    op.add_column("job_runs", sa.Column("cost_usd", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_runs", "cost_usd")
    op.drop_column("job_runs", "cpu_seconds")
