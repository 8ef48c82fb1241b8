"""Webhooks and their deliveries; those given with a model leave the model's options."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SECRET = "webhook_secret"


def upgrade() -> None:
    """Add both tables, and fill the first."""
    session_id = sa.ForeignKey("sessions.id", ondelete="CASCADE")
    webhooks = op.create_table(
        "webhooks",
        sa.Column("owner_id", sa.String(), primary_key=True),
        sa.Column("session_id", sa.String(), session_id, nullable=False),
        sa.Column("predictor_id", sa.String(), sa.ForeignKey("predictors.id", ondelete="CASCADE")),
        sa.Column("urls", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String()),
    )
    op.create_index("ix_webhooks_session_id", "webhooks", ["session_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "session_id",
            sa.String(),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("predictor_id", sa.String()),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("tries", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("lease_owner", sa.String()),
        sa.Column("lease_expires_at", sa.DateTime()),
    )
    op.create_index(
        "ix_webhook_deliveries_status_due_at", "webhook_deliveries", ["status", "due_at"]
    )
    op.create_index(
        "ix_webhook_deliveries_session_id_created_at",
        "webhook_deliveries",
        ["session_id", "created_at"],
    )
    _move_out_of_options(webhooks)


def _move_out_of_options(webhooks: sa.Table) -> None:
    sessions = sa.table("sessions", sa.column("id", sa.String()), sa.column("options", sa.JSON()))
    connection = op.get_bind()
    for session_id, options in connection.execute(sa.select(sessions)).all():
        given = options.pop("webhooks", None)
        if given is None:
            continue
        secret = given.pop(_SECRET, None)
        connection.execute(
            sessions.update().where(sessions.c.id == session_id).values(options=options)
        )
        connection.execute(
            webhooks.insert().values(
                owner_id=session_id, session_id=session_id, urls=given, secret=secret
            )
        )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
