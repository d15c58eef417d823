"""Which checks hold a draft."""

import sqlalchemy as sa
from alembic import op

revision = "8d2e5b74f0a6"
down_revision = "5b1d7e20c4fa"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("advice", sa.Column("failed_checks", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("advice", "failed_checks")
