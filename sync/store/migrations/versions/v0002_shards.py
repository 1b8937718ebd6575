"""A run divided into shards: a row of the fence for each, for that division only."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(read("0002_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0002_down", schema=context.config.attributes["schema"]))
