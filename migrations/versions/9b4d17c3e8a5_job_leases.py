"""Two columns of schedule_claims: which run of a job goes on, and until when that is to be believed."""

import sqlalchemy as sa
from alembic import op

revision = "9b4d17c3e8a5"
down_revision = "c5e80f2b6d94"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("schedule_claims") as table:
        table.add_column(sa.Column("holder", sa.String(40), nullable=True))
        table.add_column(sa.Column("held_until", sa.Float(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("schedule_claims") as table:
        table.drop_column("held_until")
        table.drop_column("holder")
