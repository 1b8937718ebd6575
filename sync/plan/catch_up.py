"""How far the window reaches back beyond its days: to the first day that is not final in the ledger. Pure.

After an outage longer than the window, days lie between its begin and the last day that was read. They are fetched as
soon as there is a run again, at most `maxCatchUpDays` counted from the slot's day. What was never read (a new property,
search type or set) is no gap: its history begins with its first window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from contract.dimension_sets import DimensionSet, SearchType
from sync.plan.cells import Cell
from sync.plan.windows import Days

Pair = tuple[SearchType, DimensionSet]

_DAY = timedelta(days=1)


class Settled(Protocol):
    """What the ledger says of a cell, as far as it matters here."""

    @property
    def cell(self) -> Cell: ...

    @property
    def final(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class CatchUp:
    """From where each search type is fetched, when that is before the window."""

    since: Mapping[SearchType, date]
    cut: bool = False
    """The gap may reach further back than `maxCatchUpDays`."""

    def extended(self, search_type: SearchType, span: Days) -> Days:
        return Days(min(span.first, self.since.get(search_type, span.first)), span.last)

    def days(self, regular: Days) -> int:
        """By how many days the window grows at most."""
        return max(((regular.first - first).days for first in self.since.values()), default=0)


def reach(regular: Days, max_days: int) -> date:
    """The first day that a window may be extended to."""
    return min(regular.first, regular.last - (max_days - 1) * _DAY)


def catch_up(
    pairs: Collection[Pair], entries: Iterable[Settled], regular: Days, bound: date, older: Collection[Pair]
) -> CatchUp:
    """`entries` are the ledger's from `bound` on; `older` are the pairs that it knows from before `bound`.

    Hours are left out: Google no longer has those of days before the window.
    """
    seen: defaultdict[Pair, date] = defaultdict(lambda: date.max)
    final: defaultdict[Pair, set[date]] = defaultdict(set)
    for entry in entries:
        pair, day = (entry.cell.search_type, entry.cell.dimension_set), entry.cell.day
        seen[pair] = min(seen[pair], day)
        if entry.final:
            final[pair].add(day)
    since: dict[SearchType, date] = {}
    cut = False
    for pair in pairs:
        if pair[1] == "hourly":
            continue
        first = bound if pair in older else seen[pair]
        while first < regular.first and first in final[pair]:
            first += _DAY
        if first < regular.first:
            since[pair[0]] = min(since.get(pair[0], first), first)
            cut = cut or (first == bound and pair in older)
    return CatchUp(since, cut)
