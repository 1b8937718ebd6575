"""The anonymised share of a property is at least nothing, as that of a day is."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(read("0010_share_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0010_share_down", schema=context.config.attributes["schema"]))
