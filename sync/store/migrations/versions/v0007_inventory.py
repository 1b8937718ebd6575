"""What there is at Google beside facts: properties with their permissions, sitemaps; and cells read in parts."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0007"
down_revision = "0006b"


def upgrade() -> None:
    op.execute(read("0007_inventory_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0007_inventory_down", schema=context.config.attributes["schema"]))
