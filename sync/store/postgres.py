"""PostgresStore: the store's real adapter; puts the pieces of this folder together, transaction by transaction.

Every public method is a few short transactions, each safe to repeat; none is held while Google is asked, and no thread
asks for a second connection while it has one. What may well succeed a moment later (a deadlock, a restart, a lost
connection) is repeated with jitter; the outcome of a commit that nobody confirmed is found out by doing it again,
since equal digests write nothing.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from psycopg import IsolationLevel

from contract import Destination, RunSummary
from contract.dimension_sets import DimensionSet, SearchType
from sync.plan.cells import AnyRow, Cell, CellResult, FetchedCell
from sync.plan.order import Synced
from sync.store import grants, migrate
from sync.store.cell_transaction import CellTransaction, Version
from sync.store.cell_writer import METRICS, CellKey, Columns
from sync.store.connect import LOCK_MILLISECONDS, Connection, Connections
from sync.store.dictionaries import Dictionaries
from sync.store.digest import digest_of, in_key_order, storable
from sync.store.errors import Transient
from sync.store.inspections import PostgresInspections
from sync.store.inventory import PostgresInventory
from sync.store.layouts import LAYOUTS, KeyColumn
from sync.store.ledger import Ledger
from sync.store.partitions import Partitions
from sync.store.port import AlreadyComplete, Claimed, LedgerEntry, RunKey
from sync.store.quota import PostgresQuotaTable
from sync.store.retention import Retention
from sync.store.retry import Retry
from sync.store.run_fence import RunFence
from sync.store.settle import Settling

T = TypeVar("T")


class ReadCommitted(Connections):
    """Each statement sees what others have committed by then, whatever a role or a database has for its default.

    Who waited for a lock relies on it.
    """

    def connect(self, *, autocommit: bool = True) -> Connection:
        connection = super().connect(autocommit=autocommit)
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        return connection


class PostgresStore:
    """Safe to use from many threads; each holds one connection while it writes."""

    def __init__(
        self,
        destination: Destination,
        *,
        pool_size: int,
        clock: Callable[[], datetime],
        migrate: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`pool_size` is how many connections there are at most; `jitter` gives a number in [0, 1)."""
        schema = destination.schema_name
        self._schema, self._clock, self._migrate = schema, clock, migrate
        self._destination = destination
        self._connections = ReadCommitted(destination, limit=pool_size)
        self._dictionaries = Dictionaries(schema, self._once)
        self._partitions = Partitions(schema, self._once_short)
        self._retention = Retention(schema, self._once_short)
        self._settling = Settling(schema, self._connections)
        self._fence, self._ledger, self._cells = (
            RunFence(schema),
            Ledger(schema),
            CellTransaction(schema, clock),
        )
        self._epochs = itertools.count(1)
        self._epoch = 0
        """Another whenever what was remembered of the server was forgotten."""
        self._retry = Retry(sleep, jitter, self._forget)
        self.inventory = PostgresInventory(schema, self._retry, self._once, self._dictionaries, clock)
        self.inspections = PostgresInspections(schema, self._retry, self._once, self._dictionaries, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()

    def shared_by(self, processes: int) -> bool:
        """Each takes its part of the connections; there must be one for each."""
        return self._connections.part(processes)

    def migrate(self) -> None:
        self._retry(lambda: migrate.migrate(self._connections, self._schema, apply=self._migrate))

    def drop_before(self, first_kept: date) -> int:
        return self._retention.drop_before(first_kept.replace(day=1))

    def settle(self, enough: Callable[[], bool]) -> Sequence[str]:
        return self._settling(enough) if self._migrate else ()

    def check(self) -> Sequence[str]:
        return grants.problems(self._connections, self._schema)

    def quotas(self) -> PostgresQuotaTable:
        return PostgresQuotaTable(self._destination)

    def claim_run(self, run: RunKey, launch: int) -> Claimed | AlreadyComplete:
        return self._repeat(lambda connection: self._fence.claim(connection, run, launch, self._clock()))

    def finish_run(self, run: RunKey, launch: int, summary: RunSummary, *, complete: bool) -> None:
        self._repeat(
            lambda connection: self._fence.finish(
                connection, run, launch, summary, self._clock(), complete=complete
            )
        )

    def write_cell(self, fetched: FetchedCell, run: RunKey, launch: int) -> CellResult:
        digest = fetched.digest or digest_of(in_key_order(fetched.rows))
        version = Version(fetched, digest, run, launch)
        return self._retry(lambda: self._write(version))

    def _write(self, version: Version) -> CellResult:
        """All of it is done again after a lost connection: a failover may have lost texts and months, too."""
        cell, rows, epoch = version.fetched.cell, version.rows, self._epoch
        key = CellKey(
            self._dictionaries.texts("property", [cell.property])[cell.property],
            self._dictionaries.codes("search_type", [cell.search_type])[cell.search_type],
            cell.day,
            cell.dimension_set,
        )
        settled = self._once_in(epoch, lambda connection: self._cells.look(connection, key, version))
        if settled is not None:
            return settled
        layout = LAYOUTS[cell.dimension_set]
        self._partitions.ensure(layout.table, cell.day)
        columns = None
        if rows:
            columns = Columns.of(rows, lambda at, values: self._ids(layout.keys[at], values))
        return self._once_in(epoch, lambda connection: self._cells.write(connection, key, version, columns))

    def skip_cells(self, cells: Collection[Cell], run: RunKey, launch: int) -> None:
        def work(connection: Connection) -> None:
            self._fence.hold(connection, run, launch)
            # Dying before the commit leaves the cells to be looked at again; dying after it, they are done.
            self._ledger.skip(connection, cells, run, self._clock())

        if cells:
            self._repeat(work)

    def _ids(self, column: KeyColumn, values: set[Any]) -> dict[str, int] | None:
        if column.text is not None:
            return self._dictionaries.texts(column.text, values)
        return self._dictionaries.codes(column.code, values) if column.code is not None else None

    def ledger(self, property_: str, first: date, last: date) -> Sequence[LedgerEntry]:
        def work(connection: Connection) -> Sequence[LedgerEntry]:
            return self._ledger.entries(connection, property_, first, last)

        return self._repeat(work)

    def known_before(self, property_: str, day: date) -> Collection[tuple[SearchType, DimensionSet]]:
        return self._repeat(lambda connection: self._ledger.known_before(connection, property_, day))

    def synced(self, properties: Sequence[str], first: date) -> Mapping[str, Synced]:
        return self._repeat(lambda connection: self._ledger.synced(connection, properties, first))

    def rows(self, cell: Cell) -> Sequence[AnyRow]:
        layout = LAYOUTS[cell.dimension_set]
        columns = ", ".join([*(key.shown for key in layout.keys), *METRICS])
        statement = (
            f'SELECT {columns} FROM "{self._schema}".{layout.view}'
            " WHERE property = %s AND day = %s AND search_type = %s"
        )
        found = self._repeat(
            lambda connection: connection.execute(
                cast("Any", statement), [storable(cell.property), cell.day, cell.search_type]
            ).fetchall()
        )
        return in_key_order(layout.row(row) for row in found)

    def _repeat(self, work: Callable[[Connection], T]) -> T:
        return self._retry(lambda: self._once(work))

    def _once(self, work: Callable[[Connection], T], *, lock_milliseconds: int = LOCK_MILLISECONDS) -> T:
        with self._connections.transaction(lock_milliseconds=lock_milliseconds) as connection:
            return work(connection)

    def _once_in(self, epoch: int, work: Callable[[Connection], T]) -> T:
        """Numbers that were looked up in an earlier epoch may be those of another server, which knew other texts by them."""

        def checked(connection: Connection) -> T:
            done = work(connection)
            # As late as can be: who lost a connection tells it a moment after another thread was given a new one.
            if self._epoch != epoch:
                raise Transient(
                    "The server may have been replaced while a cell was written; it is written anew."
                )
            return done

        return self._once(checked)

    def _once_short(self, work: Callable[[Connection], T]) -> T:
        return self._once(work, lock_milliseconds=migrate.SHORT_LOCK_MILLISECONDS)

    def _forget(self) -> None:
        self._epoch = next(self._epochs)
        self._connections.drop_idle()
        self._dictionaries.forget()
        self._partitions.forget()
