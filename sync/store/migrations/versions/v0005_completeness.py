"""Views of completeness: rows beside totals, the anonymised share, saturated and open days."""

from __future__ import annotations

from alembic import context, op

from sync.store.sql import read

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(read("0005_completeness_up", schema=context.config.attributes["schema"]))


def downgrade() -> None:
    op.execute(read("0005_completeness_down", schema=context.config.attributes["schema"]))
