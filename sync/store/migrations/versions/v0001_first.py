"""The first schema: dictionaries, the page-query facts by month, ledger, run fence, quarantine, views."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(read("0001_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0001_down", schema=context.config.attributes["schema"]))
