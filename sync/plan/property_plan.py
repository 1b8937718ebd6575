"""What is to be done for one property in one launch: which days to probe, which cells to fetch, which to skip. Pure.

Made of the order, the ledger's entries and the cells that the run has done before; the probes come in later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from contract import RunSpec
from contract.dimension_sets import SearchType
from contract.run_spec import DataState
from sync.account import Probe
from sync.plan.catch_up import CatchUp, Pair, catch_up, reach
from sync.plan.cells import Cell
from sync.plan.order import expected_rows
from sync.plan.probe import Because, Known, Skip, decide, split_budget
from sync.plan.totals import Totals
from sync.plan.windows import (
    PROBE_MARGIN_DAYS,
    Days,
    first_fresh_day,
    oldest_kept,
    pacific_day,
    regular,
    settled,
)
from sync.plan.work import Load, cells_of, pairs_of, requests_of, still_to_do


class Entry(Known, Protocol):
    """An entry of the ledger."""

    @property
    def cell(self) -> Cell: ...

    @property
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Todo:
    """A cell to fetch, and how many rows it may have."""

    cell: Cell
    rows: int
    impressions: float
    because: Because
    split_requests: int
    """How many requests may be spent on its parts."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Newest day first."""

    fetch: Sequence[Todo]
    skip: Sequence[Cell]

    def reasons(self) -> dict[str, int]:
        return dict(Counter(todo.because.value for todo in self.fetch))


def ledger_days(spec: RunSpec) -> Days:
    """The days whose entries `PropertyPlan` wants to see."""
    span = regular(spec.slot, spec.window)
    if spec.window.is_backfill:
        return span
    margin = timedelta(days=PROBE_MARGIN_DAYS if spec.window.data_state is DataState.FINAL else 0)
    return Days(min(span.first - margin, reach(span, spec.window.max_catch_up_days)), span.last)


class PropertyPlan:
    """`entries` are the ledger's of `ledger_days`, `older` the pairs that it knows from before them."""

    def __init__(
        self,
        property_: str,
        spec: RunSpec,
        entries: Sequence[Entry],
        older: Collection[Pair],
        done: Collection[Cell],
        now: datetime,
    ) -> None:
        self._property = property_
        self._spec = spec
        self._known: Mapping[Cell, Entry] = {entry.cell: entry for entry in entries}
        self._done = done
        self._now = now
        self._regular = regular(spec.slot, spec.window)
        self.catch_up = CatchUp({})
        if not spec.window.is_backfill:
            bound = reach(self._regular, spec.window.max_catch_up_days)
            within = [entry for entry in entries if entry.cell.day >= bound]
            self.catch_up = catch_up(self.pairs, within, self._regular, bound, older)

    @property
    def pairs(self) -> list[Pair]:
        return pairs_of(self._spec.search_types, self._spec.dimension_sets)

    @property
    def catch_up_days(self) -> int:
        return self.catch_up.days(self._regular)

    def digest_of(self, cell: Cell) -> bytes:
        """Of the version that is stored; empty when there is none."""
        known = self._known.get(cell)
        return known.digest if known else b""

    def final_days(self) -> set[tuple[Pair, date]]:
        """Of each pair, the days that are final in the ledger."""
        return {
            ((cell.search_type, cell.dimension_set), cell.day)
            for cell, entry in self._known.items()
            if entry.final
        }

    def types_to_probe(self) -> list[SearchType]:
        """Those of which something may be left; where final data end is known from a probe only."""
        if self._spec.window.data_state is DataState.FINAL:
            return [name for name in self._spec.search_types if any(name == kind for kind, _ in self.pairs)]
        return [
            name
            for name in self._spec.search_types
            if any(
                cell.day >= self._regular.first or not self._is_final(cell)
                for cell in self._cells({name: self.catch_up.extended(name, self._regular)})
            )
        ]

    def probe_days(self) -> Days:
        first = min([self._regular.first, *self.catch_up.since.values()])
        if self._spec.window.data_state is DataState.FINAL and not self._spec.window.is_backfill:
            first = min(first, self._regular.first - timedelta(days=PROBE_MARGIN_DAYS))
        return Days(first, self._regular.last)

    def fresh_from(self, probe: Probe) -> date:
        return first_fresh_day(probe.first_incomplete, self.probe_days(), self._now)

    def decide(self, probes: Mapping[SearchType, Probe]) -> Decided:
        """Which cells of the probed search types are fetched and which are not."""
        return self._sort(
            {name: self.fresh_from(probe) for name, probe in probes.items()},
            lambda cell: probes[cell.search_type].totals(cell.day),
        )

    def guess(self) -> Load:
        """What it will come to when no totals have moved, known without asking Google."""
        fresh_from = first_fresh_day(None, self.probe_days(), self._now)
        types = self.types_to_probe()

        def as_before(cell: Cell) -> Totals:
            known = self._known.get(cell)
            return (known and known.totals) or Totals()

        decided = self._sort(dict.fromkeys(types, fresh_from), as_before)
        requests = len(types) + sum(requests_of(todo.cell) for todo in decided.fetch)
        return Load(len(decided.fetch), requests, len(decided.skip))

    def _sort(self, fresh_from: Mapping[SearchType, date], totals_of: Callable[[Cell], Totals]) -> Decided:
        usual = {
            name: settled(self._spec.slot, self._spec.window, fresh) for name, fresh in fresh_from.items()
        }
        spans = {name: self.catch_up.extended(name, span) for name, span in usual.items()}
        fetch: list[Todo] = []
        skip: list[Cell] = []
        for cell in self._cells(spans):
            known, totals = self._known.get(cell), totals_of(cell)
            allowed = self._spec.limits.split_requests_per_cell
            decision = decide(cell, known, totals, fresh_from[cell.search_type], self._now, allowed)
            if not isinstance(decision, Skip):
                budget = split_budget(known, allowed)
                rows = expected_rows(known, totals, budget)
                fetch.append(Todo(cell, rows, totals.impressions, decision.because, budget))
            elif cell.day >= usual[cell.search_type].first:
                # Settled days before the window are not this run's business, and not counted.
                skip.append(cell)
        return Decided(fetch, skip)

    def _is_final(self, cell: Cell) -> bool:
        known = self._known.get(cell)
        return known is not None and known.final

    def _cells(self, spans: Mapping[SearchType, Days]) -> list[Cell]:
        today = pacific_day(self._now)
        oldest = oldest_kept(today)
        # A day that Google no longer has would look empty, and mean nothing.
        spans = {name: Days(max(span.first, oldest), span.last) for name, span in spans.items()}
        return still_to_do(cells_of(self._property, spans, self._spec.dimension_sets, today), self._done)
