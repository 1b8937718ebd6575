"""Gives up old months, whole partitions at a time: no row is deleted one by one, and no space is left behind.

Dropping a partition locks its table for a moment. The lock is waited for only as long as DDL may (`lock_timeout`), so
readers never queue for longer; a month whose lock is not to be had stays until the next run.
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

_MONTH = re.compile(r"_(\d{4})_(\d{2})$")
_log = logging.getLogger(__name__)


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
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, self._schema])
        # Dying before the commit leaves the month and what the ledger says of it, dying after it neither: a ledger that
        # still knew the rows would keep a later backfill from writing them.
        connection.execute(cast("Any", f'DROP TABLE IF EXISTS "{self._schema}".{facts}_{month:%Y_%m}'))
        for table in ("ledger", "quarantine"):
            connection.execute(
                cast(
                    "Any",
                    f'DELETE FROM "{self._schema}".{table} WHERE dimension_set = %s AND day >= %s AND day < %s',
                ),
                [dimension_set, month, next_month(month)],
            )
