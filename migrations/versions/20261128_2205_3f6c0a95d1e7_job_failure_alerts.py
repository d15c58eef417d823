"""Which machine tells that a job fails in a row."""

import sqlalchemy as sa
from alembic import op

revision = "3f6c0a95d1e7"
down_revision = "e1f7a94b0c28"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "job_failure_alerts",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("last_success", MOMENT, nullable=True),
        sa.Column("claimed_until", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("job_name", name="pk_job_failure_alerts"),
    )


def downgrade() -> None:
    op.drop_table("job_failure_alerts")
