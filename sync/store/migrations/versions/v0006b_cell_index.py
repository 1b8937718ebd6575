"""Rows of page_query are found by their cell; no key over all their columns any more."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0006b"
down_revision = "0006"


def upgrade() -> None:
    op.execute(read("0006b_cell_index_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0006b_cell_index_down", schema=context.config.attributes["schema"]))
