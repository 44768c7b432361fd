"""How Alembic gets at the database: over the connection and inside the transaction that `migrate.upgrade` opened."""

from __future__ import annotations

from alembic import context

from headgate.stores.tables import metadata

__all__: list[str] = []

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
