"""Runs by state: running, failed, waiting for their next launch."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(read("0009_run_states_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0009_run_states_down", schema=context.config.attributes["schema"]))
