"""Predictors, and sessions made with the space of another one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of predictors."""
    op.add_column("sessions", sa.Column("parent_id", sa.String()))
    op.create_table(
        "predictors",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "session_id",
            sa.String(),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column(
            "job_id",
            sa.String(),
            sa.ForeignKey("jobs.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("name", sa.String()),
        sa.Column("target_column", sa.String(), nullable=False),
        sa.Column("target_type", sa.String(), nullable=False),
        sa.Column("problem_type", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("labels_digest", sa.String()),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("trained_at", sa.DateTime()),
        sa.Column("accuracy", sa.Double()),
        sa.Column("auc", sa.Double()),
        sa.Column("f1", sa.Double()),
    )
    op.create_index("ix_predictors_session_id", "predictors", ["session_id"])


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("predictors")
    op.drop_column("sessions", "parent_id")
