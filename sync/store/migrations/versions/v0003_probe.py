"""What a probe showed when a cell was fetched, so that the next run can skip what has not moved."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(read("0003_probe_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0003_probe_down", schema=context.config.attributes["schema"]))
