"""Vector databases and their records."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables of vector databases."""
    op.create_table(
        "vector_databases",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column(
            "session_id",
            sa.String(),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("auto_populate", sa.Boolean(), nullable=False),
        sa.Column("populated_rows", sa.Integer(), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("last_id", _SERIAL, nullable=False),
        sa.Column("removed_count", _SERIAL, nullable=False),
        sa.UniqueConstraint("session_id", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vector_records",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        _database_id(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vector_records_database_id_id", "vector_records", ["database_id", "id"])
    op.create_table(
        "vector_batches",
        _database_id(primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("records_added", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Drop what was added."""
    for table in ("vector_batches", "vector_records", "vector_databases"):
        op.drop_table(table)


def _database_id(primary_key: bool = False) -> sa.Column:
    return sa.Column(
        "database_id",
        _SERIAL,
        sa.ForeignKey("vector_databases.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )
