"""How rows of each dimension set lie in the database: table, view, key columns, and which dictionary a key goes through.

Each set has a table of its own: sums of one are not derivable from another, since Google withholds rare queries, cuts
at 50,000 rows and counts by page or by property. Both stores read this table, so they agree on what is kept how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.dimension_sets import DimensionSet
from sync.plan.cells import AnyRow, AppearanceRow, DimensionRow, HourRow, Row, TotalsRow

Texts = Literal["property", "page", "query"]
Codes = Literal["country", "device", "search_type", "appearance"]


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """One part of a key: a text by id, a code by id, or the value itself. `shown` is its name in the view."""

    name: str
    type: str
    shown: str
    text: Texts | None = None
    code: Codes | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The table of one dimension set. `keys` are in the order of the row's fields; `count` is the type of counts."""

    table: str
    keys: tuple[KeyColumn, ...]
    row: Callable[[Iterable[Any]], AnyRow]
    count: str = "int4"

    @property
    def view(self) -> str:
        return f"v_{self.table}"


_PAGE = KeyColumn("page_id", "int4", "page", text="page")
_QUERY = KeyColumn("query_id", "int4", "query", text="query")
_COUNTRY = KeyColumn("country_id", "int2", "country", code="country")
_DEVICE = KeyColumn("device_id", "int2", "device", code="device")
_APPEARANCE = KeyColumn("appearance_id", "int2", "appearance", code="appearance")
_HOUR = KeyColumn("hour", "timestamptz", "hour")

LAYOUTS: Mapping[DimensionSet, Layout] = {
    "page-query": Layout("page_query", (_PAGE, _QUERY, _COUNTRY, _DEVICE), Row._make),
    "totals": Layout("totals", (), TotalsRow._make, "int8"),
    "page": Layout("by_page", (_PAGE,), DimensionRow._make),
    "query": Layout("by_query", (_QUERY,), DimensionRow._make),
    "country": Layout("by_country", (_COUNTRY,), DimensionRow._make, "int8"),
    "device": Layout("by_device", (_DEVICE,), DimensionRow._make, "int8"),
    "search-appearance": Layout("by_appearance", (_APPEARANCE, _PAGE), AppearanceRow._make),
    "hourly": Layout("by_hour", (_HOUR, _PAGE), HourRow._make),
}
"""Counts of a whole property, country or device are 64 bits wide; those of one page or query fit into 32."""
