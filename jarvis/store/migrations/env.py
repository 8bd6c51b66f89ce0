"""Which connection do migrations use? The one jarvis.store.migrate was called with."""

from __future__ import annotations

from alembic import context

from jarvis.store import schema

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=schema.metadata, render_as_batch=True, transactional_ddl=False
)
context.run_migrations()
