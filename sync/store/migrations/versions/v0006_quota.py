"""Budgets of requests to Google that all Jobs share."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(read("0006_quota_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0006_quota_down", schema=context.config.attributes["schema"]))
