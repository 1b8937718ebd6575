"""The ledger: one row a cell, written in the transaction of the cell's rows, so that data and checkpoint never part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from sys import intern
from typing import TYPE_CHECKING, Any, cast

from contract.dimension_sets import DimensionSet, SearchType
from sync.plan.cells import Cell, FetchedCell
from sync.plan.lazy_rows import columns_of
from sync.plan.order import Synced
from sync.plan.totals import Totals
from sync.store.cell_writer import CellKey
from sync.store.digest import hash_of, storable
from sync.store.port import LedgerEntry, RunKey

if TYPE_CHECKING:
    from sync.store.connect import Connection


@dataclass(frozen=True, slots=True)
class Stored:
    """What the ledger says of a cell before it is written."""

    rows: int
    clicks: int
    impressions: int
    digest: bytes
    empty_answers: int
    empty_run_id: str
    by: tuple[str, str]
    """Schedule UID and run id of who wrote it last."""


class Ledger:
    def __init__(self, schema: str) -> None:
        self._schema = f'"{schema}"'

    def read(self, connection: Connection, key: CellKey) -> Stored | None:
        """Held until the transaction ends: retention must not take the row away before it is written again."""
        row = self._execute(
            connection,
            "SELECT rows, clicks, impressions, digest, empty_answers, empty_run_id, schedule_uid, run_id FROM {}.ledger"
            " WHERE property_id = %s AND search_type_id = %s AND day = %s AND dimension_set = %s FOR UPDATE",
            [*key.place, key.dimension_set],
        ).fetchone()
        return (
            Stored(row[0], row[1], row[2], bytes(row[3]), row[4], row[5], (row[6], row[7])) if row else None
        )

    def write(
        self,
        connection: Connection,
        key: CellKey,
        fetched: FetchedCell,
        digest: bytes,
        run: RunKey,
        now: datetime,
        same: Stored | None = None,
    ) -> None:
        """The cell as it is now; its quarantined rows replace those of the version before.

        With `same`, the rows are those that were stored before, and nobody needs to look at them.
        """
        if same is None:
            clicks, impressions = columns_of(fetched.rows)[-3:-1] or ((), ())
            counts = len(fetched.rows), sum(clicks), sum(impressions)
        else:
            counts = same.rows, same.clicks, same.impressions
        self._execute(
            connection,
            "INSERT INTO {}.ledger (property_id, search_type_id, day, dimension_set, rows, digest, clicks, impressions,"
            " final, saturated, aggregation, pages, duplicates, quarantined, schedule_uid, run_id, fetched_at, changed_at,"
            " probe_clicks, probe_impressions, parts, split_requests)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (property_id, search_type_id, day, dimension_set) DO UPDATE SET"
            " rows = EXCLUDED.rows, digest = EXCLUDED.digest, clicks = EXCLUDED.clicks,"
            " impressions = EXCLUDED.impressions, final = EXCLUDED.final, saturated = EXCLUDED.saturated,"
            " aggregation = EXCLUDED.aggregation, pages = EXCLUDED.pages, duplicates = EXCLUDED.duplicates,"
            " quarantined = EXCLUDED.quarantined, empty_answers = 0, empty_run_id = '',"
            " schedule_uid = EXCLUDED.schedule_uid, run_id = EXCLUDED.run_id, fetched_at = EXCLUDED.fetched_at,"
            " probe_clicks = EXCLUDED.probe_clicks, probe_impressions = EXCLUDED.probe_impressions, parts = EXCLUDED.parts,"
            " split_requests = EXCLUDED.split_requests,"
            " changed_at = CASE WHEN ledger.digest = EXCLUDED.digest THEN ledger.changed_at ELSE EXCLUDED.changed_at END",
            [
                *key.place, key.dimension_set, counts[0], digest, *counts[1:], fetched.final, fetched.saturated, fetched.aggregation,
                fetched.pages, fetched.duplicates, len(fetched.quarantined), run.schedule_uid, run.run_id, now, now,
                *(fetched.totals or (None, None)), fetched.parts, fetched.split_requests,
            ],
        )  # fmt: skip
        self._quarantine(connection, key, fetched, run, now)

    def note_empty(
        self, connection: Connection, key: CellKey, fetched: FetchedCell, run: RunKey, now: datetime
    ) -> None:
        """An empty answer that is not believed yet, or one of which nothing could be stored."""
        empty = not fetched.quarantined
        self._execute(
            connection,
            "UPDATE {}.ledger SET empty_answers = %s, empty_run_id = %s, quarantined = %s, schedule_uid = %s, run_id = %s,"
            " fetched_at = %s, probe_clicks = NULL, probe_impressions = NULL WHERE property_id = %s AND search_type_id = %s AND day = %s AND dimension_set = %s",
            [
                int(empty), run.run_id if empty else "", len(fetched.quarantined), run.schedule_uid, run.run_id,
                now, *key.place, key.dimension_set,
            ],
        )  # fmt: skip
        self._quarantine(connection, key, fetched, run, now)

    def _quarantine(
        self, connection: Connection, key: CellKey, fetched: FetchedCell, run: RunKey, now: datetime
    ) -> None:
        self._execute(
            connection,
            "DELETE FROM {}.quarantine WHERE property_id = %s AND search_type_id = %s AND day = %s AND dimension_set = %s",
            [*key.place, key.dimension_set],
        )
        if fetched.quarantined:
            self._execute(
                connection,
                "INSERT INTO {}.quarantine (property_id, search_type_id, day, dimension_set, row_text, run_id, seen_at)"
                " SELECT %s, %s, %s, %s, unnest(%s::text[]), %s, %s",
                [
                    *key.place,
                    key.dimension_set,
                    [storable(text) for text in fetched.quarantined],
                    run.run_id,
                    now,
                ],
            )

    def entries(self, connection: Connection, property_: str, first: date, last: date) -> list[LedgerEntry]:
        found = self._execute(
            connection,
            "SELECT day, code, dimension_set, rows, digest, final, saturated, run_id, empty_answers,"
            " probe_clicks, probe_impressions, fetched_at, schedule_uid, parts, split_requests FROM {}.ledger"
            " JOIN {}.search_type ON search_type.id = search_type_id"
            " WHERE property_id = (SELECT id FROM {}.property WHERE hash = %s) AND day BETWEEN %s AND %s ORDER BY day, code, dimension_set",
            [hash_of(property_), first, last],
        )
        return [
            LedgerEntry(
                Cell(property_, day, code, dimension_set),
                rows,
                bytes(digest),
                final,
                saturated,
                intern(run_id),
                empty_answers,
                None if clicks is None or impressions is None else Totals(clicks, impressions),
                fetched_at,
                intern(schedule_uid),
                parts,
                split_requests,
            )
            for (
                day, code, dimension_set, rows, digest, final, saturated, run_id, empty_answers, clicks, impressions, fetched_at,
                schedule_uid, parts, split_requests,
            ) in found
        ]  # fmt: skip

    def skip(self, connection: Connection, cells: Collection[Cell], run: RunKey, now: datetime) -> None:
        """The cells, all of one property, count as done by the run; locked in key order, so nobody waits crosswise."""
        listed = sorted(cells)
        self._execute(
            connection,
            "WITH cell AS (SELECT property_id, search_type_id, day, dimension_set FROM {}.ledger"
            " JOIN {}.search_type ON search_type.id = search_type_id"
            " JOIN unnest(%s::date[], %s::text[], %s::text[]) AS given (the_day, the_type, the_set)"
            " ON day = the_day AND code = the_type AND dimension_set = the_set"
            " WHERE property_id = (SELECT id FROM {}.property WHERE hash = %s)"
            " ORDER BY search_type_id, day, dimension_set FOR UPDATE OF ledger)"
            " UPDATE {}.ledger SET schedule_uid = %s, run_id = %s, checked_at = %s FROM cell"
            " WHERE (ledger.property_id, ledger.search_type_id, ledger.day, ledger.dimension_set)"
            " = (cell.property_id, cell.search_type_id, cell.day, cell.dimension_set)",
            [
                [cell.day for cell in listed],
                [cell.search_type for cell in listed],
                [cell.dimension_set for cell in listed],
                hash_of(listed[0].property),
                run.schedule_uid,
                run.run_id,
                now,
            ],
        )

    def known_before(
        self, connection: Connection, property_: str, day: date
    ) -> list[tuple[SearchType, DimensionSet]]:
        found = self._execute(
            connection,
            "SELECT DISTINCT code, dimension_set FROM {}.ledger JOIN {}.search_type ON search_type.id = search_type_id"
            " WHERE property_id = (SELECT id FROM {}.property WHERE hash = %s) AND day < %s",
            [hash_of(property_), day],
        )
        return [(code, dimension_set) for code, dimension_set in found]

    def synced(self, connection: Connection, properties: Sequence[str], first: date) -> dict[str, Synced]:
        names = {hash_of(name): name for name in properties}
        found = self._execute(
            connection,
            "SELECT hash, max(greatest(fetched_at, checked_at)), sum(rows) FROM {}.ledger"
            " JOIN {}.property ON property.id = property_id WHERE hash = ANY(%s) AND day >= %s GROUP BY hash",
            [list(names), first],
        )
        return {names[bytes(hash_)]: Synced(at, int(rows)) for hash_, at, rows in found}

    def _execute(self, connection: Connection, statement: str, parameters: list[Any]) -> Any:
        return connection.execute(cast("Any", statement.replace("{}", self._schema)), parameters)
