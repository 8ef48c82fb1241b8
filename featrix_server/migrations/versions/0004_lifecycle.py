"""Checkpoints as models, publishing, deprecation, and how far short jobs have come."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ADDED: dict[str, sa.types.TypeEngine[Any]] = {
    "parent_epoch": sa.Integer(),
    "published_name": sa.String(),
    "published_at": sa.DateTime(),
    "deprecated_at": sa.DateTime(),
    "deprecation_warning": sa.String(),
    "expires_at": sa.DateTime(),
}


def upgrade() -> None:
    """Add the columns."""
    for name, kind in _ADDED.items():
        op.add_column("sessions", sa.Column(name, kind))
    op.create_index("ix_sessions_published_name", "sessions", ["published_name"], unique=True)
    op.add_column("jobs", sa.Column("detail", sa.JSON()))


def downgrade() -> None:
    """Drop what was added."""
    op.drop_column("jobs", "detail")
    op.drop_index("ix_sessions_published_name", "sessions")
    for name in _ADDED:
        op.drop_column("sessions", name)
