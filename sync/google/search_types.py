"""What may be asked of each search type: the rules that every query is checked against before it is sent.

Google refuses an impossible combination with 400 instead of bending it, so a query that passes here cannot be refused
for that reason. Which dimensions there are stands in `contract.dimension_sets`, since the controller must know it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.dimension_sets import OFFERED, SearchType

ALONE = "searchAppearance"
"""Is grouped by alone, if at all; with other dimensions it can only be filtered by."""


@dataclass(frozen=True, slots=True)
class SearchTypeRule:
    """Aggregations that may be asked for, and whether rows have positions."""

    aggregations: frozenset[str]
    position: bool


_FULL = SearchTypeRule(frozenset({"auto", "byPage", "byProperty"}), position=True)
_BY_PAGE = SearchTypeRule(frozenset({"auto", "byPage"}), position=False)
SEARCH_TYPES: Mapping[SearchType, SearchTypeRule] = {
    "web": _FULL,
    "image": _FULL,
    "video": _FULL,
    "news": _FULL,
    "discover": _BY_PAGE,
    "googleNews": _BY_PAGE,
}


def refused_because(
    search_type: SearchType,
    dimensions: Sequence[str],
    aggregation: str = "auto",
    *,
    data_state: str = "all",
    filters: Sequence[str] = (),
) -> list[str]:
    """Why Google would refuse this combination; empty when it would not.

    `filters` are the dimensions filtered by; `data_state` is spelled as in the request.
    """
    rule, offered = SEARCH_TYPES[search_type], OFFERED[search_type]
    reasons = [
        f"{search_type} does not offer {name}" for name in (*dimensions, *filters) if name not in offered
    ]
    reasons += [f"{name} cannot be filtered by" for name in filters if name in ("date", "hour")]
    if len(set(dimensions)) != len(dimensions):
        reasons.append("a dimension is named twice")
    if ALONE in dimensions and len(dimensions) > 1:
        reasons.append(f"{ALONE} goes with no other dimension")
    if "date" in dimensions and "hour" in dimensions:
        reasons.append("date and hour exclude each other")
    if ("hour" in dimensions) != (data_state == "hourly_all"):
        reasons.append("hour and hourly_all need each other")
    if aggregation not in rule.aggregations:
        reasons.append(f"{search_type} cannot be aggregated {aggregation}")
    elif aggregation == "byProperty" and "page" in (*dimensions, *filters):
        reasons.append("byProperty excludes the page dimension")
    return reasons
