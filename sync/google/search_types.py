"""What each search type offers: the one table from which every query is built.

Google refuses an impossible combination with 400 instead of bending it, so requests that come from this table cannot be
refused for that reason. Adding a dimension set means adding its dimensions here, not a condition elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.run_spec import DimensionSet, SearchType

DIMENSION_SETS: Mapping[DimensionSet, tuple[str, ...]] = {
    "page-query": ("page", "query", "country", "device")
}
"""What a set wants; a search type gives those it has, in this order."""


@dataclass(frozen=True, slots=True)
class SearchTypeRule:
    """Dimensions that may be grouped by together, aggregations that may be asked for, and whether rows have positions."""

    dimensions: frozenset[str]
    aggregations: frozenset[str]
    position: bool


_FULL = SearchTypeRule(
    frozenset({"date", "page", "query", "country", "device"}),
    frozenset({"auto", "byPage", "byProperty"}),
    position=True,
)
SEARCH_TYPES: Mapping[SearchType, SearchTypeRule] = {
    "web": _FULL,
    "image": _FULL,
    "video": _FULL,
    "news": _FULL,
    "discover": SearchTypeRule(
        frozenset({"date", "page", "country"}), frozenset({"auto", "byPage"}), position=False
    ),
    "googleNews": SearchTypeRule(
        frozenset({"date", "page", "country", "device"}),
        frozenset({"auto", "byPage"}),
        position=False,
    ),
}


def dimensions_of(search_type: SearchType, dimension_set: DimensionSet) -> tuple[str, ...]:
    """The dimensions to group by, in the order in which `keys` come back."""
    offered = SEARCH_TYPES[search_type].dimensions
    return tuple(name for name in DIMENSION_SETS[dimension_set] if name in offered)


def refused_because(
    search_type: SearchType, dimensions: Sequence[str], aggregation: str = "auto"
) -> list[str]:
    """Why Google would refuse this combination; empty when it would not."""
    rule = SEARCH_TYPES[search_type]
    reasons = [f"{search_type} does not offer {name}" for name in dimensions if name not in rule.dimensions]
    if len(set(dimensions)) != len(dimensions):
        reasons.append("a dimension is named twice")
    if aggregation not in rule.aggregations:
        reasons.append(f"{search_type} cannot be aggregated {aggregation}")
    elif aggregation == "byProperty" and "page" in dimensions:
        reasons.append("byProperty excludes the page dimension")
    return reasons
