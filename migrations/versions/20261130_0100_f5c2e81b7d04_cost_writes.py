"""The number of the last write of costs of each process: after a commit of unknown result it says whether it was committed."""

import sqlalchemy as sa
from alembic import op

revision = "f5c2e81b7d04"
down_revision = "e3a7c05d9b12"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cost_writes",
        sa.Column("process", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_cost_writes"),
    )


def downgrade() -> None:
    op.drop_table("cost_writes")
