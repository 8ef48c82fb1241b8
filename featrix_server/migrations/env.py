"""Alembic's entry: run the migrations on the connection `featrix_server.db` hands over."""

from alembic import context

from featrix_server.db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite's changes of tables are transactional too, and the transaction is the lock.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
