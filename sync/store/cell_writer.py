"""Replaces one cell as a set, inside a transaction that the caller opened, locked and fenced.

Rows arrive by binary COPY. An empty cell takes them straight; otherwise they go to a temporary table and three
statements make the difference: delete what vanished, change what differs, add what is new. Rows that are equal are
not touched at all: even an upsert that changes nothing would lock them and write 200 bytes of log each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from sync.plan.cells import CellResult, Row

if TYPE_CHECKING:
    from sync.store.connect import Connection

KEY = ("page_id", "query_id", "country_id", "device_id")
METRICS = ("clicks", "impressions", "position")
TYPES = ("int4", "int4", "int2", "int2", "int4", "int4", "float8")


@dataclass(frozen=True, slots=True)
class CellKey:
    """The cell in ids."""

    property_id: int
    search_type_id: int
    day: date
    dimension_set: str

    @property
    def place(self) -> list[Any]:
        return [self.property_id, self.search_type_id, self.day]


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of every text and code of the rows."""

    pages: dict[str, int]
    queries: dict[str, int]
    countries: dict[str, int]
    devices: dict[str, int]

    def records(self, rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
        pages, queries, countries, devices = self.pages, self.queries, self.countries, self.devices
        for page, query, country, device, clicks, impressions, position in rows:
            yield (
                pages[page],
                queries[query],
                countries[country],
                devices[device],
                clicks,
                impressions,
                position,
            )


class CellWriter:
    def __init__(self, schema: str) -> None:
        self._table = f'"{schema}".page_query'

    def is_empty(self, connection: Connection, key: CellKey) -> bool:
        """Asked although the ledger says so: a ledger mended by hand must not make COPY meet its own rows."""
        found = connection.execute(
            cast("Any", self._text("SELECT EXISTS (SELECT FROM {table} t WHERE {here})")), key.place
        ).fetchone()
        return found == (False,)

    def fill(self, connection: Connection, key: CellKey, rows: Sequence[Row], ids: Ids) -> CellResult:
        """A cell that holds nothing: plain COPY."""
        columns = ", ".join(("property_id", "search_type_id", "day", *KEY, *METRICS))
        place = tuple(key.place)
        with connection.cursor().copy(
            cast("Any", f"COPY {self._table} ({columns}) FROM STDIN (FORMAT BINARY)")
        ) as copy:
            copy.set_types(["int4", "int2", "date", *TYPES])
            for record in sorted(ids.records(rows)):
                copy.write_row(place + record)
        return CellResult(inserted=len(rows))

    def clear(self, connection: Connection, key: CellKey) -> CellResult:
        deleted = self._run(connection, "DELETE FROM {table} t WHERE {here}", key.place)
        return CellResult(deleted=deleted)

    def replace(self, connection: Connection, key: CellKey, rows: Sequence[Row], ids: Ids) -> CellResult:
        columns = ", ".join(
            f"{name} {kind} {'NOT NULL' if name != 'position' else ''}"
            for name, kind in zip((*KEY, *METRICS), TYPES, strict=True)
        )
        connection.execute(cast("Any", f"CREATE TEMPORARY TABLE staging ({columns}) ON COMMIT DROP"))
        with connection.cursor().copy(
            cast("Any", f"COPY staging ({', '.join((*KEY, *METRICS))}) FROM STDIN (FORMAT BINARY)")
        ) as copy:
            copy.set_types(TYPES)
            for record in ids.records(rows):
                copy.write_row(record)
        # Without statistics the planner may take the cell for one row and loop over staging for each of 50,000;
        # hashing is right at any size, and cheaper than an ANALYZE.
        connection.execute("SELECT set_config('enable_nestloop', 'off', true)")
        deleted = self._run(
            connection,
            "DELETE FROM {table} t WHERE {here} AND NOT EXISTS (SELECT FROM staging s WHERE {same})",
            key.place,
        )
        updated = self._run(
            connection,
            "UPDATE {table} t SET clicks = s.clicks, impressions = s.impressions, position = s.position FROM staging s"
            " WHERE {here} AND {same}"
            " AND (t.clicks, t.impressions, t.position) IS DISTINCT FROM (s.clicks, s.impressions, s.position)",
            key.place,
        )
        inserted = self._run(
            connection,
            "INSERT INTO {table} (property_id, search_type_id, day, {columns})"
            " SELECT %s, %s, %s, {columns} FROM staging s"
            " WHERE NOT EXISTS (SELECT FROM {table} t WHERE {here} AND {same}) ORDER BY {key}",
            [*key.place, *key.place],
        )
        return CellResult(inserted, updated, deleted, len(rows) - inserted - updated)

    def _run(self, connection: Connection, statement: str, parameters: list[Any]) -> int:
        return connection.execute(cast("Any", self._text(statement)), parameters).rowcount

    def _text(self, statement: str) -> str:
        return (
            statement.replace("{table}", self._table)
            .replace("{here}", "t.property_id = %s AND t.search_type_id = %s AND t.day = %s")
            .replace("{same}", " AND ".join(f"s.{name} = t.{name}" for name in KEY))
            .replace("{columns}", ", ".join((*KEY, *METRICS)))
            .replace("{key}", ", ".join(KEY))
        )
