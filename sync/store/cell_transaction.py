"""The transactions of one cell: lock it, hold the run, read the ledger, then decide what this version changes.

Both transactions, the one that only looks and the one that writes, decide by the same rule on what the ledger says
*then*: between them another run may have written the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sync.plan.cells import AnyRow, CellResult, FetchedCell
from sync.store.cell_writer import CellKey, CellWriter, Columns
from sync.store.emptiness import keep_rows
from sync.store.layouts import LAYOUTS
from sync.store.ledger import Ledger, Stored
from sync.store.port import RunKey
from sync.store.retention import month_lock
from sync.store.run_fence import RunFence

if TYPE_CHECKING:
    from sync.store.connect import Connection

CELL_LOCK = 0x67736303


@dataclass(slots=True)
class Version:
    """One fetched version of a cell on its way into the database."""

    fetched: FetchedCell
    digest: bytes
    run: RunKey
    launch: int
    unconfirmed: CellResult | None = None
    """What an earlier try wrote without learning whether it was committed."""

    @property
    def rows(self) -> Sequence[AnyRow]:
        """In the order of the answers; decoded only when they are looked at."""
        return self.fetched.rows


class CellTransaction:
    """What happens inside a transaction; opening and repeating it is the caller's."""

    def __init__(self, schema: str, clock: Callable[[], datetime]) -> None:
        self._schema, self._clock = schema, clock
        self._fence, self._ledger, self._writer = RunFence(schema), Ledger(schema), CellWriter(schema)

    def look(self, connection: Connection, key: CellKey, version: Version) -> CellResult | None:
        """The result when the rows can stay as they are: only the ledger moves. None: they have to be written."""
        return self._settle(connection, key, version, self._enter(connection, key, version))

    def write(
        self, connection: Connection, key: CellKey, version: Version, columns: Columns | None
    ) -> CellResult:
        """`columns` are those of the version's rows; None when it has none."""
        stored = self._enter(connection, key, version)
        settled = self._settle(connection, key, version, stored)
        if settled is not None:
            return settled
        if stored is None:
            self._keep_month(connection, key)
        if columns is None:
            result = self._writer.clear(connection, key)
        elif (stored is None or stored.rows == 0) and self._writer.is_empty(connection, key):
            result = self._writer.fill(connection, key, columns)
        else:
            result = self._writer.replace(connection, key, columns)
        # Rows and ledger commit together: dying before leaves the old cell whole, dying after leaves the new one.
        self._ledger.write(connection, key, version.fetched, version.digest, version.run, self._clock())
        version.unconfirmed = result
        return result

    def _enter(self, connection: Connection, key: CellKey, version: Version) -> Stored | None:
        """Lock the cell, hold the run and the ledger's row: in this order everywhere, so nobody waits crosswise."""
        name = f"{self._schema}/{key.property_id}/{key.search_type_id}/{key.day}/{key.dimension_set}"
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [CELL_LOCK, name])
        self._fence.hold(connection, version.run, version.launch)
        return self._ledger.read(connection, key)

    def _keep_month(self, connection: Connection, key: CellKey) -> None:
        """A row that the ledger does not have yet holds nobody off: so retention waits for the month, or we for it."""
        connection.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))",
            month_lock(self._schema, LAYOUTS[key.dimension_set].table, key.day),
        )

    def _settle(
        self, connection: Connection, key: CellKey, version: Version, stored: Stored | None
    ) -> CellResult | None:
        if stored is None:
            return None
        run = version.run
        if stored.digest == version.digest:
            if version.unconfirmed is not None and stored.by == (run.schedule_uid, run.run_id):
                return version.unconfirmed
            # Dying before the commit: the cell is asked for again. After it: it is done.
            self._ledger.write(connection, key, version.fetched, version.digest, run, self._clock(), stored)
            return CellResult(unchanged=stored.rows, skipped=True)
        if not version.rows and keep_rows(
            stored=stored.rows,
            fetched=version.fetched,
            empty_answers=stored.empty_answers,
            empty_run_id=stored.empty_run_id,
            run_id=run.run_id,
        ):
            # The same: the note is either there or will be made again by this very run.
            self._ledger.note_empty(connection, key, version.fetched, run, self._clock())
            return CellResult(unchanged=stored.rows, kept_because_empty=True)
        return None
