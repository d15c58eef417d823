"""Job records: profile and deadline of a run, daily roll-ups, watermarks of the run monitor, missed runs."""

import sqlalchemy as sa
from alembic import op

revision = "e1f7a94b0c28"
down_revision = "9b4d17c3e8a5"
branch_labels = None
depends_on = None

RUNNING = sa.text("finished_at IS NULL")
MOMENT = sa.DateTime(timezone=True)
ADDED = (
    ("deadline_at", MOMENT),
    ("overdue_at", MOMENT),
    ("slowest_child", sa.String(255)),
    ("slowest_child_seconds", sa.Float()),
    ("first_error", sa.String(255)),
)


def upgrade() -> None:
    for name, kind in ADDED:
        op.add_column("job_runs", sa.Column(name, kind, nullable=True))
    op.create_index("ix_job_runs_job_name_status_id", "job_runs", ["job_name", "status", "id"])
    op.create_index("ix_job_runs_job_name_finished_at", "job_runs", ["job_name", "finished_at"])
    op.create_index("ix_job_runs_running", "job_runs", ["heartbeat_at"], postgresql_where=RUNNING, sqlite_where=RUNNING)
    op.drop_index("ix_job_runs_job_name_started_at", "job_runs")
    op.create_table(
        "job_run_days",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("success", "error", "timeout", "cancelled")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("lost", "timed")),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("last_success", MOMENT, nullable=True),
        sa.Column("durations", sa.JSON(), nullable=False),
        sa.Column("success_durations", sa.JSON(), nullable=False),
        sa.Column("is_pruned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job_name", "day", name="pk_job_run_days"),
    )
    op.create_table(
        "schedule_watch",
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("cadence", sa.String(200), nullable=False),
        sa.Column("watched_until", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("back_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("job_name", name="pk_schedule_watch"),
    )
    op.create_table(
        "missed_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("job_name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("first_tick", MOMENT, nullable=False),
        sa.Column("last_tick", MOMENT, nullable=False),
        sa.Column("ticks", sa.Integer(), nullable=False),
        sa.Column("noticed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_missed_runs"),
    )
    op.create_index("ix_missed_runs_job_name_id", "missed_runs", ["job_name", "id"])


def downgrade() -> None:
    op.drop_table("missed_runs")
    op.drop_table("schedule_watch")
    op.drop_table("job_run_days")
    op.create_index("ix_job_runs_job_name_started_at", "job_runs", ["job_name", "started_at"])
    for name in ("running", "job_name_finished_at", "job_name_status_id"):
        op.drop_index(f"ix_job_runs_{name}", "job_runs")
    for name, _ in reversed(ADDED):
        op.drop_column("job_runs", name)
