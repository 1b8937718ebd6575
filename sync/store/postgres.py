"""PostgresStore: the store's real adapter; puts the pieces of this folder together, transaction by transaction.

Every public method is a few short transactions, each safe to repeat; none is held while Google is asked. What may
well succeed a moment later (a deadlock, a restart, a lost connection) is repeated here with jitter; the outcome of a
commit that nobody confirmed is found out by doing it again, since equal digests write nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from contract import Destination, RunSummary
from sync.errors import DatabaseUnavailable
from sync.plan.cells import Cell, CellResult, FetchedCell, Row
from sync.store import grants, migrate
from sync.store.cell_writer import CellKey, CellWriter, Ids
from sync.store.connect import Connection, Connections
from sync.store.dictionaries import Dictionaries
from sync.store.digest import digest_of, in_key_order
from sync.store.emptiness import keep_rows
from sync.store.errors import Transient
from sync.store.ledger import Ledger
from sync.store.partitions import Partitions
from sync.store.port import AlreadyComplete, Claimed, LedgerEntry, RunKey
from sync.store.run_fence import RunFence

T = TypeVar("T")
TRIES = 5
CELL_LOCK = 0x67736303


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
        """`pool_size` is how many threads will write; `jitter` gives a number in [0, 1)."""
        schema = destination.schema_name
        self._schema, self._clock, self._migrate, self._sleep, self._jitter = (
            schema,
            clock,
            migrate,
            sleep,
            jitter,
        )
        self._connections = Connections(destination, keep=pool_size)
        self._dictionaries = Dictionaries(schema, self._repeat)
        self._partitions = Partitions(schema, self._repeat_short)
        self._fence, self._ledger, self._writer = RunFence(schema), Ledger(schema), CellWriter(schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()

    def migrate(self) -> None:
        self._retry(lambda: migrate.migrate(self._connections, self._schema, apply=self._migrate))

    def check(self) -> Sequence[str]:
        return grants.problems(self._connections, self._schema)

    def claim_run(self, run: RunKey, launch: int) -> Claimed | AlreadyComplete:
        return self._repeat(lambda connection: self._fence.claim(connection, run, launch, self._clock()))

    def finish_run(self, run: RunKey, launch: int, summary: RunSummary, *, complete: bool) -> None:
        self._repeat(
            lambda connection: self._fence.finish(
                connection, run, launch, summary, self._clock(), complete=complete
            )
        )

    def write_cell(self, fetched: FetchedCell, run: RunKey, launch: int) -> CellResult:
        rows = in_key_order(fetched.rows)
        digest = digest_of(rows)
        cell = fetched.cell
        key = CellKey(
            self._dictionaries.texts("property", [cell.property])[cell.property],
            self._dictionaries.codes("search_type", [cell.search_type])[cell.search_type],
            cell.day,
            cell.dimension_set,
        )
        unchanged = self._repeat(
            lambda connection: self._touch(connection, key, fetched, digest, run, launch)
        )
        if unchanged is not None:
            return unchanged
        self._partitions.ensure(cell.day)
        ids = Ids(
            self._dictionaries.texts("page", {row.page for row in rows}),
            self._dictionaries.texts("query", {row.query for row in rows}),
            self._dictionaries.codes("country", {row.country for row in rows}),
            self._dictionaries.codes("device", {row.device for row in rows}),
        )
        return self._repeat(
            lambda connection: self._write(connection, key, fetched, rows, digest, ids, run, launch)
        )

    def ledger(self, property_: str, first: date, last: date) -> Sequence[LedgerEntry]:
        id_ = self._dictionaries.find_text("property", property_)
        if id_ is None:
            return []
        return self._repeat(lambda connection: self._ledger.entries(connection, property_, id_, first, last))

    def done_by_run(self, run: RunKey) -> frozenset[Cell]:
        return self._repeat(lambda connection: self._ledger.done_by(connection, run))

    def rows(self, cell: Cell) -> Sequence[Row]:
        statement = (
            f'SELECT page, query, country, device, clicks, impressions, position FROM "{self._schema}".v_page_query'
            " WHERE property = %s AND day = %s AND search_type = %s"
        )
        found = self._repeat(
            lambda connection: connection.execute(
                cast("Any", statement), [cell.property, cell.day, cell.search_type]
            ).fetchall()
        )
        return in_key_order(Row(*row) for row in found)

    def _touch(
        self,
        connection: Connection,
        key: CellKey,
        fetched: FetchedCell,
        digest: bytes,
        run: RunKey,
        launch: int,
    ) -> CellResult | None:
        """The cell is as it was, or must stay so: only the ledger moves. None: it has to be written."""
        stored = self._enter(connection, key, run, launch)
        if stored is None:
            return None
        if stored.digest == digest:
            # Dying before the commit: the cell is asked for again. After it: it is done.
            self._ledger.write(connection, key, fetched, digest, run, self._clock())
            return CellResult(unchanged=stored.rows, skipped=True)
        if not fetched.rows and keep_rows(
            stored=stored.rows,
            empty_answers=stored.empty_answers,
            empty_run_id=stored.empty_run_id,
            run_id=run.run_id,
        ):
            # The same: the note is either there or will be made again by this very run.
            self._ledger.note_empty(connection, key, run, self._clock())
            return CellResult(unchanged=stored.rows, kept_because_empty=True)
        return None

    def _write(
        self,
        connection: Connection,
        key: CellKey,
        fetched: FetchedCell,
        rows: list[Row],
        digest: bytes,
        ids: Ids,
        run: RunKey,
        launch: int,
    ) -> CellResult:
        stored = self._enter(connection, key, run, launch)
        if stored is not None and stored.digest == digest:
            # Our own commit, whose answer was lost; or another run that fetched the same.
            return CellResult(unchanged=len(rows), skipped=True)
        if not rows:
            result = self._writer.clear(connection, key)
        elif stored is None or stored.rows == 0:
            result = self._writer.fill(connection, key, rows, ids)
        else:
            result = self._writer.replace(connection, key, rows, ids)
        # Rows and ledger commit together: dying before leaves the old cell whole, dying after leaves the new one.
        self._ledger.write(connection, key, fetched, digest, run, self._clock())
        return result

    def _enter(self, connection: Connection, key: CellKey, run: RunKey, launch: int) -> Any:
        """Lock the cell, hold the run, read the ledger: in this order everywhere, so nobody waits crosswise."""
        name = f"{self._schema}/{key.property_id}/{key.search_type_id}/{key.day}/{key.dimension_set}"
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [CELL_LOCK, name])
        self._fence.hold(connection, run, launch)
        return self._ledger.read(connection, key)

    def _repeat(self, work: Callable[[Connection], T]) -> T:
        return self._retry(lambda: self._once(work))

    def _repeat_short(self, work: Callable[[Connection], T]) -> T:
        """With a short lock time-out: readers must not queue behind a waiting ATTACH."""
        return self._retry(lambda: self._once(work, lock_milliseconds=2_000))

    def _once(self, work: Callable[[Connection], T], *, lock_milliseconds: int = 30_000) -> T:
        with self._connections.transaction(lock_milliseconds=lock_milliseconds) as connection:
            return work(connection)

    def _retry(self, work: Callable[[], T]) -> T:
        for attempt in range(TRIES):
            try:
                return work()
            except Transient as error:
                if attempt == TRIES - 1:
                    raise DatabaseUnavailable(str(error)) from error
                self._sleep(self._jitter() * min(10.0, 0.2 * 2**attempt))
        raise AssertionError("unreachable")
