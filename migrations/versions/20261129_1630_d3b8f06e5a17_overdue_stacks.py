"""The stack of a job run that became overdue."""

import sqlalchemy as sa
from alembic import op

revision = "d3b8f06e5a17"
down_revision = "c4f19e6a2b73"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("overdue_stack", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_runs", "overdue_stack")
