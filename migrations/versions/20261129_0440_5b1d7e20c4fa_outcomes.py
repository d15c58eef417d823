"""Runs that could only wait are counted apart, and a source remembers since when its position does not move."""

import sqlalchemy as sa
from alembic import op

revision = "5b1d7e20c4fa"
down_revision = "3f6c0a95d1e7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_run_days", sa.Column("skipped", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sync_positions", sa.Column("stalled_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_positions", "stalled_since")
    op.drop_column("job_run_days", "skipped")
