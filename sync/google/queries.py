"""What a search analytics query says: a grouping to page through, and the JSON of one page of it.

`fetch` and `split` decide what to ask for, `account` asks; each query is checked here against the table of search types
before it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, Protocol, Self

from contract.dimension_sets import SearchType
from sync.google.answers import Page
from sync.google.search_types import refused_because

Operator = Literal["equals", "notEquals", "includingRegex", "excludingRegex"]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one dimension; regular expressions are RE2's and match anywhere in the text."""

    dimension: str
    operator: Operator
    expression: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """One list of dimensions to page through. `state` is Google's `dataState`; all filters must hold."""

    dimensions: tuple[str, ...]
    state: str
    filters: tuple[Filter, ...] = ()

    def where(self, condition: Filter) -> Self:
        return replace(self, filters=(*self.filters, condition))

    def by(self, *dimensions: str) -> Self:
        """The same rows grouped otherwise."""
        return replace(self, dimensions=dimensions)


class AskPage(Protocol):
    """Asks for one page of a grouping of the cell's day and search type."""

    def __call__(self, grouping: Grouping, start_row: int, row_limit: int) -> Page: ...


def query_body(
    search_type: SearchType, grouping: Grouping, first: date, last: date, start_row: int, row_limit: int
) -> dict[str, Any]:
    """The JSON of a query, refused here when the table of search types says Google would refuse it."""
    reasons = refused_because(
        search_type,
        grouping.dimensions,
        data_state=grouping.state,
        filters=[condition.dimension for condition in grouping.filters],
    )
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
    if grouping.filters:
        body["dimensionFilterGroups"] = [
            {
                "filters": [
                    {"dimension": each.dimension, "operator": each.operator, "expression": each.expression}
                    for each in grouping.filters
                ]
            }
        ]
    return body
