"""The states of Ozon: why an answer was rejected, substatuses, split postings, and jobs that are switched off."""

import sqlalchemy as sa
from alembic import op

revision = "b6a05e0c7d21"
down_revision = "b5d2f08c71aa"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("reviews", sa.Column("answer_reason", sa.String(500), nullable=True))
    op.add_column("orders", sa.Column("substatus", sa.String(50), nullable=True))
    op.create_table(
        "job_suspensions",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("retry_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("job_name", name="pk_job_suspensions"),
    )
    # Their pieces are in the postings that they were split into. They may be too old to be read again.
    op.execute(
        "UPDATE orders SET cancelled = true, quantity = 0, amount = 0, items = '[]' "
        "WHERE marketplace = 'ozon' AND lower(status) = 'cancelled_from_split_pending'"
    )


def downgrade() -> None:
    op.drop_table("job_suspensions")
    op.drop_column("orders", "substatus")
    op.drop_column("reviews", "answer_reason")
