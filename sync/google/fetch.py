"""How a whole cell of each dimension set is asked for, on top of single pages.

Most sets are one list of dimensions, paged to its end. Totals are a single row. Hours need a data state of their own
and must lie on the day. Search appearances go with no other dimension, so they are listed alone and each is then
filtered by while pages are grouped. `account` brings the way to ask for a page; nothing here knows HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol, cast

from contract.dimension_sets import DimensionSet, SearchType, dimensions_of
from contract.run_spec import DataState
from sync.google.answers import Page
from sync.google.pages import PAGE_ROWS, Gathered, gather
from sync.google.search_types import refused_because
from sync.plan.cells import AppearanceRow, Cell, DimensionRow, HourRow
from sync.plan.windows import pacific_day

HOURLY = "hourly_all"
STATES = {DataState.ALL: "all", DataState.FINAL: "final"}


@dataclass(frozen=True, slots=True)
class Grouping:
    """One list of dimensions to page through. `state` is Google's `dataState`, `appearance` a value to filter by."""

    dimensions: tuple[str, ...]
    state: str
    appearance: str = ""


class AskPage(Protocol):
    """Asks for one page of a grouping of the cell's day and search type."""

    def __call__(self, grouping: Grouping, start_row: int, row_limit: int) -> Page: ...


def fetch(cell: Cell, data_state: DataState, ask: AskPage, *, expect_rows: bool) -> Gathered:
    """Every row of the cell, of the kind of its set.

    Raises BadAnswer when the server does not page, and whatever `ask` raises.
    """
    dimensions = dimensions_of(cell.search_type, cell.dimension_set)
    grouping = Grouping(dimensions, STATES[data_state])
    special: dict[DimensionSet, Callable[[], Gathered]] = {
        "totals": lambda: _totals(ask, grouping, expect_rows=expect_rows),
        "search-appearance": lambda: _appearances(ask, grouping),
        "hourly": lambda: _on_the_day(cell.day, _whole(ask, replace(grouping, state=HOURLY), expect_rows)),
    }
    way = special.get(cell.dimension_set)
    return way() if way else _whole(ask, grouping, expect_rows)


def _whole(ask: AskPage, grouping: Grouping, expect_rows: bool) -> Gathered:  # noqa: FBT001
    return gather(lambda start, limit: ask(grouping, start, limit), expect_rows=expect_rows)


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


def _appearances(ask: AskPage, grouping: Grouping) -> Gathered:
    """List the appearances of the day, then the pages of each. A day without any is nothing to be surprised at."""
    listed = _whole(ask, replace(grouping, dimensions=grouping.dimensions[:1]), expect_rows=False)
    names = sorted(cast("DimensionRow", row).value for row in listed.rows)
    parts = [
        (name, _whole(ask, Grouping(grouping.dimensions[1:], grouping.state, name), expect_rows=True))
        for name in names
    ]
    whole: Sequence[Gathered] = [listed, *(part for _, part in parts)]
    return Gathered(
        rows=[AppearanceRow(name, *cast("DimensionRow", row)) for name, part in parts for row in part.rows],
        quarantined=tuple(raw for part in whole for raw in part.quarantined),
        saturated=any(part.saturated for part in whole),
        aggregation=parts[0][1].aggregation if parts else listed.aggregation,
        pages=sum(part.pages for part in whole),
        duplicates=sum(part.duplicates for part in whole),
        conflicts=sum(part.conflicts for part in whole),
        missing=sum(part.missing for part in whole),
    )


def query_body(
    search_type: SearchType,
    grouping: Grouping,
    first: date,
    last: date,
    start_row: int,
    row_limit: int,
) -> dict[str, Any]:
    """The JSON of a query, refused here when the table of search types says Google would refuse it."""
    filters = ("searchAppearance",) if grouping.appearance else ()
    reasons = refused_because(search_type, grouping.dimensions, data_state=grouping.state, filters=filters)
    if reasons:
        raise ValueError(f"a query that Google refuses: {'; '.join(reasons)}")
    body: dict[str, Any] = {
        "startDate": first.isoformat(),
        "endDate": last.isoformat(),
        "dimensions": list(grouping.dimensions),
        "type": search_type,
        "dataState": grouping.state,
        "startRow": start_row,
        "rowLimit": row_limit,
    }
    if grouping.appearance:
        body["dimensionFilterGroups"] = [
            {
                "filters": [
                    {"dimension": "searchAppearance", "operator": "equals", "expression": grouping.appearance}
                ]
            }
        ]
    return body
