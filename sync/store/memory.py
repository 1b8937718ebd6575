"""The store in memory: same port, same rules, no database. For tests and for dry runs.

One lock stands for the transactions of Postgres: every method happens at once or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self

from contract import RunSummary
from contract.dimension_sets import DimensionSet, SearchType
from sync.errors import Superseded
from sync.plan.cells import AnyRow, Cell, CellResult, FetchedCell
from sync.plan.order import Synced
from sync.quota.memory import MemoryQuotaTable
from sync.store.digest import as_code, digest_of, in_key_order, storable
from sync.store.emptiness import keep_rows
from sync.store.layouts import LAYOUTS, KeyColumn
from sync.store.memory_inspections import MemoryInspections
from sync.store.memory_inventory import MemoryInventory
from sync.store.port import AlreadyComplete, Claimed, LedgerEntry, RunKey


@dataclass(slots=True)
class _Run:
    launch: int
    summary: RunSummary | None = None
    complete: bool = False


class MemoryStore:
    """Keeps everything until it is dropped."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._quotas = MemoryQuotaTable(clock)
        self._lock = threading.Lock()
        self.inventory = MemoryInventory(self._lock, self._fence, clock)
        self.inspections = MemoryInspections(self._lock, self._fence, clock, self._pages)
        self._runs: dict[RunKey, _Run] = {}
        self._rows: dict[Cell, dict[tuple[Any, ...], AnyRow]] = {}
        self._ledger: dict[Cell, LedgerEntry] = {}
        self._empty_run: dict[Cell, str] = {}
        self._checked_at: dict[Cell, datetime] = {}
        self.quarantine: list[tuple[Cell, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def shared_by(self, processes: int) -> bool:
        return processes == 1

    def migrate(self) -> None:
        return None

    def settle(self, enough: Callable[[], bool]) -> Sequence[str]:  # noqa: ARG002 - there is nothing to make
        return ()

    def drop_before(self, first_kept: date) -> int:
        with self._lock:
            old = [cell for cell in self._ledger if cell.day < first_kept.replace(day=1)]
            for cell in old:
                del self._ledger[cell]
                self._rows.pop(cell, None)
                self._empty_run.pop(cell, None)
            gone = set(old)
            self.quarantine = [each for each in self.quarantine if each[0] not in gone]
            return len({(cell.dimension_set, cell.day.replace(day=1)) for cell in old})

    def check(self) -> Sequence[str]:
        return []

    def quotas(self) -> MemoryQuotaTable:
        return self._quotas

    def claim_run(self, run: RunKey, launch: int) -> Claimed | AlreadyComplete:
        with self._lock:
            self._divide_anew(run, launch)
            held = self._runs.get(run)
            if held is None:
                self._runs[run] = _Run(launch)
                return Claimed(0)
            if held.complete and held.summary is not None:
                return AlreadyComplete(held.summary)
            if held.launch > launch:
                raise superseded(run, launch, held.launch)
            previous, held.launch = held.launch, launch
            return Claimed(previous)

    def _divide_anew(self, run: RunKey, launch: int) -> None:
        """Rows of another division of the run pass to a higher launch."""
        for other, held in self._runs.items():
            same = (other.schedule_uid, other.run_id) == (run.schedule_uid, run.run_id)
            if same and other.shards != run.shards:
                held.launch = max(held.launch, launch)

    def write_cell(self, fetched: FetchedCell, run: RunKey, launch: int) -> CellResult:
        rows = in_key_order(fetched.rows)
        digest = fetched.digest or digest_of(rows)
        with self._lock:
            self._fence(run, launch)
            cell = fetched.cell
            old = self._ledger.get(cell)
            stored = self._rows.get(cell, {})
            now, uid, run_id = self._clock(), run.schedule_uid, run.run_id
            entry = LedgerEntry(
                cell, len(rows), digest, fetched.final, fetched.saturated, run_id, 0, fetched.totals, now, uid,
                fetched.parts, fetched.split_requests,
            )  # fmt: skip
            if not rows and keep_rows(
                stored=len(stored),
                fetched=fetched,
                empty_answers=old.empty_answers if old else 0,
                empty_run_id=self._empty_run.get(cell, ""),
                run_id=run_id,
            ):
                assert old is not None
                heard_empty = not fetched.quarantined
                self._ledger[cell] = replace(
                    old,
                    empty_answers=int(heard_empty),
                    run_id=run_id,
                    totals=None,
                    fetched_at=now,
                    schedule_uid=uid,
                )
                self._empty_run[cell] = run_id if heard_empty else ""
                self._note(fetched)
                return CellResult(unchanged=len(stored), kept_because_empty=True)
            self._ledger[cell] = entry
            self._empty_run.pop(cell, None)
            self._note(fetched)
            if old is not None and old.digest == digest:
                return CellResult(unchanged=len(rows), skipped=True)
            fresh: dict[tuple[Any, ...], AnyRow] = {row[:-3]: row for row in rows}
            self._rows[cell] = fresh
            inserted = len(fresh.keys() - stored.keys())
            updated = sum(1 for key, row in fresh.items() if key in stored and stored[key] != row)
            return CellResult(
                inserted, updated, len(stored.keys() - fresh.keys()), len(fresh) - inserted - updated
            )

    def skip_cells(self, cells: Collection[Cell], run: RunKey, launch: int) -> None:
        with self._lock:
            self._fence(run, launch)
            for cell in self._ledger.keys() & set(cells):
                self._ledger[cell] = replace(
                    self._ledger[cell], run_id=run.run_id, schedule_uid=run.schedule_uid
                )
                self._checked_at[cell] = self._clock()

    def finish_run(self, run: RunKey, launch: int, summary: RunSummary, *, complete: bool) -> None:
        with self._lock:
            held = self._runs.get(run)
            if held is None or held.launch != launch:
                raise superseded(run, launch, held.launch if held else 0)
            if not held.complete:
                held.summary, held.complete = summary, complete

    def ledger(self, property_: str, first: date, last: date) -> Sequence[LedgerEntry]:
        with self._lock:
            return [
                entry
                for cell, entry in sorted(self._ledger.items())
                if cell.property == property_ and first <= cell.day <= last
            ]

    def known_before(self, property_: str, day: date) -> Collection[tuple[SearchType, DimensionSet]]:
        with self._lock:
            return {
                (cell.search_type, cell.dimension_set)
                for cell in self._ledger
                if cell.property == property_ and cell.day < day
            }

    def synced(self, properties: Sequence[str], first: date) -> Mapping[str, Synced]:
        found: dict[str, Synced] = {}
        wanted = frozenset(properties)
        with self._lock:
            for cell, entry in self._ledger.items():
                if cell.property in wanted and cell.day >= first:
                    assert entry.fetched_at is not None
                    at = max(entry.fetched_at, self._checked_at.get(cell, entry.fetched_at))
                    old = found.get(cell.property, Synced(at, 0))
                    found[cell.property] = Synced(max(at, old.at), old.rows + entry.rows)
        return found

    def rows(self, cell: Cell) -> Sequence[AnyRow]:
        layout = LAYOUTS[cell.dimension_set]
        with self._lock:
            rows = list(self._rows.get(cell, {}).values())
        return in_key_order(
            layout.row(
                (*(_as_kept(key, value) for key, value in zip(layout.keys, row, strict=False)), *row[-3:])
            )
            for row in rows
        )

    def _pages(self, property_: str, since: date) -> dict[str, int]:
        """Impressions by page since a day; of the sets that know pages, the one that shows most of each."""
        sums: dict[tuple[str, str], int] = {}
        for cell, rows in self._rows.items():
            if (
                cell.property == property_
                and cell.day >= since
                and cell.dimension_set in ("page", "page-query")
            ):
                for key, row in rows.items():
                    name = (cell.dimension_set, str(key[0]))
                    sums[name] = sums.get(name, 0) + row.impressions
        shown: dict[str, int] = {}
        for (_, page), impressions in sums.items():
            shown[page] = max(shown.get(page, 0), impressions)
        return shown

    def _note(self, fetched: FetchedCell) -> None:
        cell = fetched.cell
        self.quarantine = [each for each in self.quarantine if each[0] != cell]
        self.quarantine.extend((cell, text) for text in fetched.quarantined)

    def _fence(self, run: RunKey, launch: int) -> None:
        held = self._runs.get(run)
        if held is None or held.launch != launch or held.complete:
            raise superseded(run, launch, held.launch if held else 0)


def _as_kept(column: KeyColumn, value: Any) -> Any:
    """A part of a key as it looks when read back."""
    if column.text is not None:
        return storable(value)
    return as_code(value) if column.code is not None else value


def superseded(run: RunKey, launch: int, holder: int) -> Superseded:
    """The same words for both adapters."""
    return Superseded(
        f"Launch {launch} of run {run.run_id} no longer holds it (launch {holder} does); nothing more is written."
    )
