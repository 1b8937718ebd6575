"""Gives up old months, whole partitions at a time: no row is deleted one by one, and no space is left behind.

Dropping a partition locks the whole table, also for readers, until the transaction ends: so it comes last, after what takes
long. The lock is waited for only as long as DDL may (`lock_timeout`), so readers never queue for longer; a month whose
lock is not to be had stays until the next run.

What a month's writers and its retention hold, in this order, so that nobody waits crosswise: the month (a writer shares it, and
only for a cell that has no row in the ledger yet), rows of the ledger, facts.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sync.store.errors import Transient
from sync.store.layouts import LAYOUTS
from sync.store.partitions import LOCK, next_month

if TYPE_CHECKING:
    from sync.store.connect import Connection

MONTH_LOCK = 0x67736308
_MONTH = re.compile(r"_(\d{4})_(\d{2})$")
_log = logging.getLogger(__name__)


def month_lock(schema: str, facts: str, day: date) -> list[Any]:
    """The two numbers of the advisory lock of a month, the second one still as text."""
    return [MONTH_LOCK, f"{schema}/{facts}/{day:%Y-%m}"]


class Retention:
    def __init__(self, schema: str, in_transaction: Callable[[Callable[[Connection], Any]], Any]) -> None:
        """`in_transaction` waits briefly for locks."""
        self._schema = schema
        self._in_transaction = in_transaction

    def drop_before(self, first_kept: date) -> int:
        """Give up every month before `first_kept`; the number of partitions that went."""
        dropped = 0
        for dimension_set, layout in LAYOUTS.items():
            months = self._in_transaction(partial(self._months, facts=layout.table))
            for month in sorted(month for month in months if month < first_kept):
                try:
                    self._in_transaction(
                        partial(self._drop, facts=layout.table, dimension_set=dimension_set, month=month)
                    )
                except Transient as error:
                    _log.warning("%s of %s stays for now: %s", f"{month:%Y-%m}", layout.table, error)
                    continue
                dropped += 1
        return dropped

    def _months(self, connection: Connection, facts: str) -> list[date]:
        found = connection.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(%s)",
            [f'"{self._schema}".{facts}'],
        )
        named = (_MONTH.search(name) for (name,) in found)
        return [date(int(match[1]), int(match[2]), 1) for match in named if match]

    def _drop(self, connection: Connection, facts: str, dimension_set: str, month: date) -> None:
        table = f'"{self._schema}".{facts}_{month:%Y_%m}'
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, self._schema])
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", month_lock(self._schema, facts, month)
        )
        if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
            return  # another run was faster
        # Dying before the commit leaves the month and what the ledger says of it, dying after it neither: a ledger that
        # still knew the rows would keep a later backfill from writing them.
        for name in ("ledger", "quarantine"):
            connection.execute(
                cast(
                    "Any",
                    f'DELETE FROM "{self._schema}".{name} WHERE dimension_set = %s AND day >= %s AND day < %s',
                ),
                [dimension_set, month, next_month(month)],
            )
        connection.execute(cast("Any", f"DROP TABLE {table}"))
