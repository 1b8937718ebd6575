"""Monthly partitions of the facts, made when a month is first written.

A partition is created as a table of its own and then attached: creating it in place would lock readers out. The lock
timeout is short and the attempt is repeated by the caller's retry, so an open reader is never queued behind us for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from sync.store.connect import Connection

LOCK = 0x67736302
STORAGE = "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return month_of(month + timedelta(days=31))


class Partitions:
    """Knows which months are there. Safe to use from many threads."""

    def __init__(self, schema: str, in_transaction: Callable[[Callable[[Connection], Any]], Any]) -> None:
        self._schema = schema
        self._in_transaction = in_transaction
        self._lock = threading.Lock()
        self._known: set[tuple[str, date]] = set()

    def ensure(self, parent: str, day: date) -> None:
        """Make the month of `day` in a table of facts, and the one after it, unless they are there."""
        month = month_of(day)
        with self._lock:
            if (parent, month) in self._known:
                return
            for each in (month, next_month(month)):
                self._in_transaction(partial(self._make, facts=parent, month=each))
            self._known.add((parent, month))

    def forget(self) -> None:
        """After a failover or a dropped month: look again."""
        with self._lock:
            self._known.clear()

    def _make(self, connection: Connection, facts: str, month: date) -> None:
        name = f"{facts}_{month:%Y_%m}"
        table, parent = f'"{self._schema}".{name}', f'"{self._schema}".{facts}'
        attached = "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
        if connection.execute(attached, [table]).fetchone():
            return
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, self._schema])
        if connection.execute(attached, [table]).fetchone():
            return
        first, end = month.isoformat(), next_month(month).isoformat()
        # Dying before the commit leaves nothing, dying after it an empty month.
        for statement in (
            f"CREATE TABLE {table} (LIKE {parent} INCLUDING ALL) WITH ({STORAGE})",
            f"ALTER TABLE {table} ADD CONSTRAINT month CHECK (day >= '{first}' AND day < '{end}')",
            f"ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES FROM ('{first}') TO ('{end}')",
        ):
            connection.execute(cast("Any", statement))
        # What a LIKE does not copy: how logical replication tells the rows of a table without a key.
        whole_rows = "SELECT relreplident = 'f' FROM pg_class WHERE oid = to_regclass(%s)"
        if connection.execute(whole_rows, [parent]).fetchone() == (True,):
            connection.execute(cast("Any", f"ALTER TABLE {table} REPLICA IDENTITY FULL"))
