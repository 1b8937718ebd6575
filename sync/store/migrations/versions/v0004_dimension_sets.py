"""A table of facts and a view for each further dimension set, and the dictionary of search appearances."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(read("0004_dimension_sets_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0004_dimension_sets_down", schema=context.config.attributes["schema"]))
