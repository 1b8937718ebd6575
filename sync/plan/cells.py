"""A cell: the unit of work, of transaction and of checkpoint.

One property, one Pacific day, one search type, one dimension set. `plan` lists the cells of a run, `google` fetches
one whole, `store` replaces one whole. Pure data: nothing here knows HTTP or SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from contract.dimension_sets import DimensionSet, SearchType
from sync.plan.totals import Totals

PAGE_ROWS = 25_000
"""The most rows that Google gives in one answer."""

CAP_ROWS = 50_000
"""Google shows no more of a property, day and search type, whatever is asked."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Names one cell. `property` is Google's own string, byte for byte."""

    property: str
    day: date
    search_type: SearchType
    dimension_set: DimensionSet = "page-query"


class Row(NamedTuple):
    """One row of a page-query cell. A dimension that the search type does not offer is the empty string.

    `position` is 1-based, and None where Google gives none (discover, googleNews); so it is in every kind of row.
    """

    page: str
    query: str
    country: str
    device: str
    clicks: int
    impressions: int
    position: float | None


class TotalsRow(NamedTuple):
    """The row of a totals cell: everything that happened on the day, anonymised queries included."""

    clicks: int
    impressions: int
    position: float | None


class DimensionRow(NamedTuple):
    """One row of a page, query, country or device cell; `value` is the page, query, country or device."""

    value: str
    clicks: int
    impressions: int
    position: float | None


class AppearanceRow(NamedTuple):
    """One row of a search-appearance cell: a page as it was shown in one appearance."""

    appearance: str
    page: str
    clicks: int
    impressions: int
    position: float | None


class HourRow(NamedTuple):
    """One row of an hourly cell. `hour` is the moment at which the hour begins, in UTC: in autumn one hour comes twice."""

    hour: datetime
    page: str
    clicks: int
    impressions: int
    position: float | None


AnyRow = Row | TotalsRow | DimensionRow | AppearanceRow | HourRow
"""A row of any set: its key first, and always three numbers at the end, so `row[:-3]` is what makes it distinct."""


@dataclass(frozen=True, slots=True)
class FetchedCell:
    """A cell as Google showed it, gathered from all its pages within one attempt.

    `rows` are of the kind of the cell's dimension set, and distinct by their key. `final` is False while Google may
    still change the day. `quarantined` holds the raw JSON of rows that follow no rule (wrong key count, impossible numbers); the cell is
    stored without them and is not final.
    """

    cell: Cell
    rows: Sequence[AnyRow]
    final: bool
    saturated: bool = False
    aggregation: str = ""
    pages: int = 0
    requests: int = 0
    duplicates: int = 0
    quarantined: tuple[str, ...] = ()
    parts: int = 0
    """Into how many parts a cell at the cap was split; 0 when it was not."""
    split_requests: int = 0
    """How many requests might be spent on that."""
    consistent: bool = True
    """False when its pages do not fit together: rows are missing, or came with two sets of numbers."""
    digest: bytes = b""
    """Of what the answers said: equal to that of the stored version when nothing changed. Empty: to be made of the rows."""
    totals: Totals | None = None
    """What the probe showed of its day just before; None when the next run shall not rely on this answer."""


@dataclass(frozen=True, slots=True)
class CellResult:
    """What storing a cell changed. `skipped` says the digest was equal and only the ledger was touched."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    skipped: bool = False
    kept_because_empty: bool = False
    """One empty answer never deletes a day that had rows: the rows were kept, the emptiness was noted."""
