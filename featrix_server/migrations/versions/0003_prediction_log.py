"""The log of predictions, and how much predictors are used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _predictor(is_key: bool = False) -> sa.Column:
    key = sa.ForeignKey("predictors.id", ondelete="CASCADE")
    return sa.Column("predictor_id", sa.String(), key, nullable=False, primary_key=is_key)


def upgrade() -> None:
    """Add the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "prediction_blocks",
        sa.Column("id", number, primary_key=True, autoincrement=False),
        sa.Column("head", sa.String(), nullable=False, unique=True),
        sa.Column("first", sa.BigInteger(), nullable=False),
        _predictor(),
        sa.Column("endpoint_id", sa.String()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("n_errors", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("customer_metadata", sa.JSON()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index(
        "ix_prediction_blocks_predictor_id_id", "prediction_blocks", ["predictor_id", "id"]
    )
    op.create_table(
        "usage",
        _predictor(is_key=True),
        sa.Column("endpoint_id", sa.String(), primary_key=True),
        sa.Column("day", sa.String(), primary_key=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("predictions", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_usage_endpoint_id", "usage", ["endpoint_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("usage")
    op.drop_table("prediction_blocks")
