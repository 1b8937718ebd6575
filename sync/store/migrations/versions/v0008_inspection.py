"""Pages as Google's index knows them."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(read("0008_inspection_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0008_inspection_down", schema=context.config.attributes["schema"]))
