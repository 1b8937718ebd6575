"""Replaces one cell as a set, inside a transaction that the caller opened, locked and fenced.

Rows arrive by binary COPY. An empty cell takes them straight; otherwise they go to a temporary table, which is joined
with the cell once, and one statement makes the difference: delete what vanished, change what differs, add what is new.
Rows that are equal are not touched at all: even an upsert that changes nothing would lock them and write 200 bytes of
log each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Self, cast

from contract.dimension_sets import DimensionSet
from sync.plan.cells import AnyRow, CellResult
from sync.plan.lazy_rows import columns_of
from sync.store.copy_rows import RowFormat, stream
from sync.store.layouts import LAYOUTS, Layout

if TYPE_CHECKING:
    from sync.store.connect import Connection

PLACE = ("property_id", "search_type_id", "day")
PLACE_TYPES = ("int4", "int2", "date")
METRICS = ("clicks", "impressions", "position")


@dataclass(frozen=True, slots=True)
class CellKey:
    """The cell in ids."""

    property_id: int
    search_type_id: int
    day: date
    dimension_set: DimensionSet

    @property
    def place(self) -> list[Any]:
        return [self.property_id, self.search_type_id, self.day]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows column by column, key first and the numbers last, with ids in place of texts. Half the work of row by row."""

    fields: tuple[Sequence[Any], ...]

    @classmethod
    def of(cls, rows: Sequence[AnyRow], ids: Callable[[int, set[Any]], Mapping[Any, int] | None]) -> Self:
        """`ids` are asked for the distinct values of each part of the key; None: they stand for themselves."""
        columns = columns_of(rows)
        texts, numbers = columns[: -len(METRICS)], columns[-len(METRICS) :]
        return cls((*(_ids(column, ids(at, set(column))) for at, column in enumerate(texts)), *numbers))

    def __len__(self) -> int:
        return len(self.fields[-1])


def _ids(column: Sequence[Any], ids: Mapping[Any, int] | None) -> Sequence[Any]:
    return column if ids is None else list(map(ids.__getitem__, column))


class CellWriter:
    def __init__(self, schema: str) -> None:
        self._tables = {name: _Table(schema, layout) for name, layout in LAYOUTS.items()}

    def is_empty(self, connection: Connection, key: CellKey) -> bool:
        """Asked although the ledger says so: a ledger mended by hand must not make COPY meet its own rows."""
        table = self._tables[key.dimension_set]
        return connection.execute(cast("Any", table.is_there), key.place).fetchone() == (False,)

    def fill(self, connection: Connection, key: CellKey, columns: Columns) -> CellResult:
        """A cell that holds nothing: plain COPY."""
        table = self._tables[key.dimension_set]
        with connection.cursor().copy(cast("Any", table.copy)) as copy:
            # Sorted by their first key, the page: whoever reads one page over time finds its rows side by side.
            for piece in stream(sorted(table.row.rows(key.place, columns.fields))):
                copy.write(piece)
        return CellResult(inserted=len(columns))

    def clear(self, connection: Connection, key: CellKey) -> CellResult:
        table = self._tables[key.dimension_set]
        return CellResult(deleted=connection.execute(cast("Any", table.clear), key.place).rowcount)

    def replace(self, connection: Connection, key: CellKey, columns: Columns) -> CellResult:
        table = self._tables[key.dimension_set]
        connection.execute(cast("Any", table.stage))
        with connection.cursor().copy(cast("Any", table.copy_staging)) as copy:
            for piece in stream(table.staged_row.rows((), columns.fields)):
                copy.write(piece)
        # Without statistics the planner may take the cell for one row and loop over what differs for each of 50,000;
        # hashing is right at any size, and cheaper than an ANALYZE.
        connection.execute("SELECT set_config('enable_nestloop', 'off', true)")
        changes = connection.execute(cast("Any", table.replace), key.place * 4).fetchone()
        assert changes is not None
        deleted, updated, inserted = changes
        return CellResult(inserted, updated, deleted, len(columns) - inserted - updated)


class _Table:
    """The statements of one table. A cell is named by three parameters: property, search type, day."""

    def __init__(self, schema: str, layout: Layout) -> None:
        table = f'"{schema}".{layout.table}'
        here = "t.property_id = %s AND t.search_type_id = %s AND t.day = %s"
        keys = [key.name for key in layout.keys]
        # A cell of totals is one row without a key, and a full join wants something that can be hashed.
        same = " AND ".join(f"s.{name} = t.{name}" for name in keys) or "s.clicks * 0 = t.clicks * 0"
        columns = (*keys, *METRICS)
        listed = ", ".join(columns)
        order = f" ORDER BY {', '.join(keys)}" if keys else ""
        types = (*(key.type for key in layout.keys), layout.count, layout.count, "float8")
        self.row, self.staged_row = RowFormat(PLACE_TYPES, types), RowFormat((), types)
        typed = ", ".join(
            f"{name} {kind}{' NOT NULL' if name != 'position' else ''}"
            for name, kind in zip(columns, types, strict=True)
        )
        self.is_there = f"SELECT EXISTS (SELECT FROM {table} t WHERE {here})"
        self.copy = f"COPY {table} ({', '.join(PLACE)}, {listed}) FROM STDIN (FORMAT BINARY)"
        self.clear = f"DELETE FROM {table} t WHERE {here}"
        self.stage = f"CREATE TEMPORARY TABLE staging ({typed}) ON COMMIT DROP"
        self.copy_staging = f"COPY staging ({listed}) FROM STDIN (FORMAT BINARY)"
        there, came = (", ".join(f"{side}.{name}" for name in METRICS) for side in "ts")
        # In each row of `differs`, `at` says where it lies, if it does, and clicks are null if it is no longer wanted.
        # The cell is locked, so what lies there stays there until the statement ends.
        self.replace = (
            "WITH differs AS MATERIALIZED ("
            f"SELECT t.at, s.* FROM (SELECT t.ctid AS at, {listed} FROM {table} t WHERE {here}) t"
            f" FULL JOIN staging s ON {same}"
            f" WHERE t.at IS NULL OR s.clicks IS NULL OR ({there}) IS DISTINCT FROM ({came})"
            "), vanished AS ("
            f"DELETE FROM {table} t USING differs d WHERE {here} AND t.ctid = d.at AND d.clicks IS NULL RETURNING 1"
            "), changed AS ("
            f"UPDATE {table} t SET {', '.join(f'{name} = d.{name}' for name in METRICS)} FROM differs d"
            f" WHERE {here} AND t.ctid = d.at AND d.clicks IS NOT NULL RETURNING 1"
            "), new AS ("
            f"INSERT INTO {table} ({', '.join(PLACE)}, {listed})"
            f" SELECT %s, %s, %s, {listed} FROM differs WHERE at IS NULL{order} RETURNING 1"
            ") SELECT (SELECT count(*) FROM vanished), (SELECT count(*) FROM changed), (SELECT count(*) FROM new)"
        )
