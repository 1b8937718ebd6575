"""Alembic's entry: runs inside the transaction and under the lock that `sync.store.migrate` holds."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]

context.configure(
    connection=connection,
    version_table="schema_version",
    version_table_schema=schema,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
