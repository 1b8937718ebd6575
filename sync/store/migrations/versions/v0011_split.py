"""How many requests might be spent on the parts of a cell: who may spend more reads it again, who may not spends as many."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(read("0011_split_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0011_split_down", schema=context.config.attributes["schema"]))
