"""What came of one property in one launch: its cells, their rows, and how far its days are final.

Kept by `sync.property_sync`, which holds its lock whenever it writes here; read for the next cell's size and for the end.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import date

from sync.plan.catch_up import Pair
from sync.plan.cells import CellResult, FetchedCell
from sync.plan.property_plan import PropertyPlan
from sync.tally import Tally

_log = logging.getLogger(__name__)


class PropertyRecord:
    """Of one property."""

    def __init__(self) -> None:
        self.committed = self.skipped = self.rows_written = 0
        self._final_days: set[tuple[Pair, date]] = set()
        self._density: dict[Pair, float] = {}

    def begun(self, final_days: Collection[tuple[Pair, date]]) -> None:
        """`final_days` are those that were final before this launch."""
        self._final_days = set(final_days)

    def stored(self, fetched: FetchedCell, result: CellResult, impressions: float) -> None:
        """`impressions` are those that the probe shows of the cell's day."""
        cell = fetched.cell
        pair = (cell.search_type, cell.dimension_set)
        if impressions > 0:
            self._density[pair] = max(self._density.get(pair, 0.0), len(fetched.rows) / impressions)
        self.committed += 1
        self.rows_written += result.inserted + result.updated
        if fetched.final and not result.kept_because_empty:
            self._final_days.add((pair, cell.day))
        else:
            self._final_days.discard((pair, cell.day))

    def density(self, pair: Pair | None) -> float | None:
        """The most rows that one impression stood for, of the cells so far; None when nothing is known."""
        return None if pair is None else self._density.get(pair)

    def newest_final_day(self, pairs: Iterable[Pair]) -> date | None:
        """The newest day that is final for every search type and dimension set."""
        newest = [
            max((day for each, day in self._final_days if each == pair), default=None) for pair in pairs
        ]
        known = [day for day in newest if day is not None]
        return min(known) if len(known) == len(newest) else None


def tell_catch_up(plan: PropertyPlan, property_: str, tally: Tally) -> None:
    tally.caught_up(plan.catch_up_days)
    first = min(plan.catch_up.since.values())
    _log.info("%s: the window reaches back to %s, the first day not yet final", property_, first)
    if plan.catch_up.cut:
        _log.warning(
            "%s: days before %s may be missing; raise maxCatchUpDays, or backfill them", property_, first
        )
