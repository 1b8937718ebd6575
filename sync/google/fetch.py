"""How a whole cell of each dimension set is asked for, on top of single pages.

Most sets are one list of dimensions, paged to its end. Totals are a single row. Hours need a data state of their own
and must lie on the day. Search appearances go with no other dimension, so they are listed alone and each is then
filtered by while pages are grouped. `account` brings the way to ask for a page; nothing here knows HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import cast

from contract.dimension_sets import dimensions_of
from contract.run_spec import DataState
from sync.google.pages import Gathered, gather
from sync.google.queries import AskPage, Filter, Grouping
from sync.google.split import split
from sync.plan.cells import PAGE_ROWS, AppearanceRow, Cell, DimensionRow, HourRow
from sync.plan.windows import pacific_day

HOURLY = "hourly_all"
STATES = {DataState.ALL: "all", DataState.FINAL: "final"}


def fetch(
    cell: Cell, data_state: DataState, ask: AskPage, *, expect_rows: bool, split_requests: int = 0
) -> Gathered:
    """Every row of the cell, of the kind of its set.

    A cell at Google's cap is split, for at most `split_requests` more; 0 leaves it as it is.

    Raises BadAnswer when the server does not page, and whatever `ask` raises.
    """
    dimensions = dimensions_of(cell.search_type, cell.dimension_set)
    grouping = Grouping(dimensions, STATES[data_state])
    whole = _Whole(ask, split_requests)
    match cell.dimension_set:
        case "totals":
            return _totals(ask, grouping, expect_rows=expect_rows)
        case "search-appearance":
            return _appearances(whole, grouping)
        case "hourly":
            # Not split: without hours Google gives other numbers for the day, so parts could not be checked.
            hours = _Whole(ask, 0)(replace(grouping, state=HOURLY), expect_rows=expect_rows)
            return _on_the_day(cell.day, hours)
        case _:
            return whole(grouping, expect_rows=expect_rows)


@dataclass(slots=True)
class _Whole:
    """Reads a grouping to its end, beyond the cap while the cell's budget for that lasts."""

    ask: AskPage
    split_requests: int

    def __call__(self, grouping: Grouping, *, expect_rows: bool) -> Gathered:
        found = gather(lambda start, limit: self.ask(grouping, start, limit), expect_rows=expect_rows)
        if not found.saturated or self.split_requests <= 0:
            return found
        parted = split(self.ask, grouping, found, self.split_requests)
        self.split_requests -= parted.pages - found.pages
        return parted


def _totals(ask: AskPage, grouping: Grouping, *, expect_rows: bool) -> Gathered:
    """The one row without dimensions. A row of zeros says the same as no row, and is taken for it."""
    page = ask(grouping, 0, PAGE_ROWS)
    pages = 1
    if not page.received and expect_rows:
        page, pages = ask(grouping, 0, PAGE_ROWS), 2
    rows = [row for row in page.rows if row.clicks or row.impressions][:1]
    return Gathered(
        rows=rows,
        quarantined=page.quarantined,
        saturated=False,
        aggregation=page.aggregation,
        pages=pages,
        duplicates=max(0, len(page.rows) - 1),
        conflicts=max(0, len(set(page.rows)) - 1),
        missing=0,
    )


def _on_the_day(day: date, gathered: Gathered) -> Gathered:
    """Hours of another day, or moments that begin no hour, are no rows of this cell."""
    rows = [cast("HourRow", row) for row in gathered.rows]
    odd = [row for row in rows if not _is_hour_of(row, day)]
    if not odd:
        return gathered
    left = [row for row in rows if _is_hour_of(row, day)]
    raw = tuple(json.dumps({"keys": [row.hour.isoformat(), row.page], "clicks": row.clicks}) for row in odd)
    return replace(gathered, rows=list(left), quarantined=(*gathered.quarantined, *raw))


def _is_hour_of(row: HourRow, day: date) -> bool:
    return (row.hour.minute, row.hour.second, row.hour.microsecond) == (0, 0, 0) and pacific_day(
        row.hour
    ) == day


def _appearances(whole: _Whole, grouping: Grouping) -> Gathered:
    """List the appearances of the day, then the pages of each. A day without any is nothing to be surprised at.

    One that was listed with impressions and has no page, asked twice, is missing: the other answer was not true.
    """
    alone, pages = grouping.by(grouping.dimensions[0]), grouping.by(*grouping.dimensions[1:])
    listed = whole(alone, expect_rows=False)
    named = sorted(cast("DimensionRow", row) for row in listed.rows)
    parts = [
        (row.value, whole(pages.where(Filter(alone.dimensions[0], "equals", row.value)), expect_rows=True))
        for row in named
    ]
    lost = sum(
        row.impressions > 0 and not part.rows and not part.quarantined
        for row, (_, part) in zip(named, parts, strict=True)
    )
    answers: Sequence[Gathered] = [listed, *(part for _, part in parts)]
    return Gathered(
        rows=[AppearanceRow(name, *cast("DimensionRow", row)) for name, part in parts for row in part.rows],
        quarantined=tuple(raw for part in answers for raw in part.quarantined),
        saturated=any(part.saturated for part in answers),
        aggregation=parts[0][1].aggregation if parts else listed.aggregation,
        pages=sum(part.pages for part in answers),
        duplicates=sum(part.duplicates for part in answers),
        conflicts=sum(part.conflicts for part in answers),
        missing=lost + sum(part.missing for part in answers),
        parts=sum(part.parts for part in answers),
    )
