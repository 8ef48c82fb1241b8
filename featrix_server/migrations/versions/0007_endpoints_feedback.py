"""Endpoints, and feedback on predictions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _parent(column: str, table: str) -> sa.Column:
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, sa.String(), key, nullable=False)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("prediction_uuid", sa.String(), nullable=False),
        _parent("predictor_id", "predictors"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("ground_truth", sa.String(), nullable=False),
        sa.Column("is_usable", sa.Boolean(), nullable=False),
        sa.Column("meta", sa.JSON()),
        sa.Column("answered", sa.JSON(), nullable=False),
    )
    op.create_index("ix_feedback_prediction_uuid", "feedback", ["prediction_uuid"])
    op.create_index(
        "ix_feedback_predictor_id_is_current_id", "feedback", ["predictor_id", "is_current", "id"]
    )
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        _parent("session_id", "sessions"),
        _parent("predictor_id", "predictors"),
        sa.Column("key_hash", sa.String()),
        sa.Column("key_salt", sa.String()),
        sa.Column("key_created_at", sa.DateTime()),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime()),
    )
    op.create_index("ix_endpoints_session_id", "endpoints", ["session_id"])
    op.create_index("ix_endpoints_predictor_id", "endpoints", ["predictor_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("endpoints")
    op.drop_table("feedback")
