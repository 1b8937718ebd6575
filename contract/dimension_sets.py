"""Which dimension sets there are, and what Google gives of each for each search type: the one table of both programs.

Google refuses an impossible combination with 400 instead of bending it. So the rules stand here, before any request:
a set keeps the dimensions that a search type offers, and is left out for a search type that does not offer the
dimension it is named by. A new set is a new row here; what is asked and stored follows from it.

Source of the rules: Google's reference of searchanalytics.query. Where it is silent, the narrower reading holds:
hours are documented by users for web and googleNews only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

SearchType = Literal["web", "image", "video", "news", "discover", "googleNews"]
DimensionSet = Literal[
    "page-query", "totals", "page", "query", "country", "device", "search-appearance", "hourly"
]

Inventory = Literal["properties", "sitemaps"]
"""What may be kept beside facts."""

SEARCH_TYPES: tuple[SearchType, ...] = get_args(SearchType)
DIMENSION_SETS: tuple[DimensionSet, ...] = get_args(DimensionSet)
INVENTORIES: tuple[Inventory, ...] = get_args(Inventory)

WANTED: Mapping[DimensionSet, tuple[str, ...]] = {
    "page-query": ("page", "query", "country", "device"),
    "totals": (),
    "page": ("page",),
    "query": ("query",),
    "country": ("country",),
    "device": ("device",),
    "search-appearance": ("searchAppearance", "page"),
    "hourly": ("hour", "page"),
}
"""What a set wants, the dimension that names it first. No dimensions: one row of totals a day."""

_EVERYWHERE = frozenset({"date", "page", "country", "searchAppearance"})
OFFERED: Mapping[SearchType, frozenset[str]] = {
    "web": _EVERYWHERE | {"query", "device", "hour"},
    "image": _EVERYWHERE | {"query", "device"},
    "video": _EVERYWHERE | {"query", "device"},
    "news": _EVERYWHERE | {"query", "device"},
    "discover": _EVERYWHERE,
    "googleNews": _EVERYWHERE | {"device", "hour"},
}
"""Dimensions of a search type that requests may name."""


def gives(search_type: SearchType, dimension_set: DimensionSet) -> bool:
    """Whether Google gives the set for the search type, be it with fewer dimensions."""
    wanted = WANTED[dimension_set]
    return not wanted or wanted[0] in OFFERED[search_type]


def dimensions_of(search_type: SearchType, dimension_set: DimensionSet) -> tuple[str, ...]:
    """The dimensions of the set that the search type offers, in the order in which `keys` come back.

    Raises ValueError for a pair that is not given at all.
    """
    if not gives(search_type, dimension_set):
        raise ValueError(f"{search_type} has no {dimension_set}")
    return tuple(name for name in WANTED[dimension_set] if name in OFFERED[search_type])


def nothing_left(search_types: Iterable[SearchType], dimension_sets: Iterable[DimensionSet]) -> str | None:
    """What to tell a person when no pair of them is given; None when something is left to sync."""
    types, sets = tuple(search_types), tuple(dimension_sets)
    if any(gives(search_type, each) for search_type in types for each in sets):
        return None
    return (
        f"Google gives {_list(sets)} for none of {_list(types)}: discover and googleNews have no queries, discover no "
        "devices, and hours exist for web and googleNews only"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
