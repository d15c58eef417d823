"""When each source was last read to its end, when credentials expire, and which alerts about that were sent."""

import sqlalchemy as sa
from alembic import op

revision = "b7d2e5f80a41"
down_revision = "b6a05e0c7d21"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sync_positions", sa.Column("completed_at", MOMENT, nullable=True))
    op.add_column("sync_positions", sa.Column("last_error", sa.String(500), nullable=True))
    op.add_column("sync_positions", sa.Column("last_error_at", MOMENT, nullable=True))
    op.execute("UPDATE sync_positions SET completed_at = finished_at")
    op.create_table(
        "credential_expiries",
        sa.Column("service", sa.String(20), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("service", name="pk_credential_expiries"),
    )
    op.create_table(
        "sent_alerts",
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sent_alerts"),
    )


def downgrade() -> None:
    op.drop_table("sent_alerts")
    op.drop_table("credential_expiries")
    for column in ("last_error_at", "last_error", "completed_at"):
        op.drop_column("sync_positions", column)
