"""The cells of a property, in the order in which they are taken, and what they will cost. Pure.

Newest day first, search types side by side within a day: when the deadline cuts a launch short, what people look at
first is there, and the next launch of the run goes on with the older days, since finished cells are skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

from contract.dimension_sets import DimensionSet, SearchType, gives
from sync.plan.cells import Cell
from sync.plan.windows import Days

REQUESTS_PER_MINUTE_PER_USER = 1200
"""Google's documented limit for one identity, and for one site."""

REQUESTS_PER_CELL = 2
"""A page and the empty page that proves it was the last; a saturated cell takes two full pages instead."""

SPECIAL_REQUESTS: Mapping[DimensionSet, int] = {"totals": 1, "search-appearance": 2 + 5 * REQUESTS_PER_CELL}
"""Totals are one row. Appearances are listed, then asked for one by one; a property with many has about five a day."""

HOURLY_DAYS = 10
"""Google keeps hours that long, the running day included; what it no longer shows must not be asked for."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask of Google, when every cell has rows and fits one page."""

    properties: int
    cells: int
    requests: int
    minutes: float
    skipped: int = 0
    """Cells that the probes will spare, when no totals have moved; `cells` does not count them."""


@dataclass(frozen=True, slots=True)
class Load:
    """The same for one property."""

    cells: int
    requests: int
    skipped: int = 0


def cells_of(
    property_: str,
    days: Mapping[SearchType, Days],
    dimension_sets: Sequence[DimensionSet],
    today: date,
) -> list[Cell]:
    """All cells of one property that Google gives, newest day first. `today` is the running Pacific day."""
    oldest_hours = today - timedelta(days=HOURLY_DAYS - 1)
    every_day = sorted(set(chain.from_iterable(span.newest_first() for span in days.values())), reverse=True)
    return [
        Cell(property_, day, search_type, dimension_set)
        for day in every_day
        for search_type, span in days.items()
        if span.first <= day <= span.last
        for dimension_set in dimension_sets
        if gives(search_type, dimension_set) and (dimension_set != "hourly" or day >= oldest_hours)
    ]


def still_to_do(cells: Iterable[Cell], done: Collection[Cell]) -> list[Cell]:
    """The cells that no launch of this run has committed yet, in order."""
    return [cell for cell in cells if cell not in done]


def pairs_of(
    search_types: Iterable[SearchType], dimension_sets: Sequence[DimensionSet]
) -> list[tuple[SearchType, DimensionSet]]:
    """The search types with those of the sets that Google gives for them."""
    return [(kind, each) for kind in search_types for each in dimension_sets if gives(kind, each)]


def estimate(
    properties_by_workspace: Sequence[int],
    *,
    days: int,
    search_types: Sequence[SearchType],
    dimension_sets: Sequence[DimensionSet],
    concurrency: int,
    requests_per_second_per_property: float,
    sitemaps: bool = False,
) -> Estimate:
    """Requests and minutes of a whole run.

    The ledger is not asked: nothing counts as done or settled.
    """
    pairs = pairs_of(search_types, dimension_sets)
    cells_each, requests_each = 0, len({search_type for search_type, _ in pairs}) + (1 if sitemaps else 0)
    for _, each in pairs:
        cells = min(days, HOURLY_DAYS) if each == "hourly" else days
        cells_each += cells
        requests_each += cells * SPECIAL_REQUESTS.get(each, REQUESTS_PER_CELL)
    each_load = Load(cells_each, requests_each)
    return estimate_of(
        [[each_load] * properties for properties in properties_by_workspace],
        concurrency=concurrency,
        requests_per_second_per_property=requests_per_second_per_property,
    )


def estimate_of(
    loads_by_workspace: Sequence[Sequence[Load]],
    *,
    concurrency: int,
    requests_per_second_per_property: float,
) -> Estimate:
    """What the loads come to.

    Three floors: one property at its own rate, all of them over `concurrency` places, one identity at Google's limit.
    """
    loads = [load for workspace in loads_by_workspace for load in workspace]
    if not loads:
        return Estimate(0, 0, 0, 0.0)
    per_minute = requests_per_second_per_property * 60
    longest = max(load.requests for load in loads)
    rounds = -(-len(loads) // concurrency)
    side_by_side = max(longest, sum(load.requests for load in loads) / len(loads) * rounds) / per_minute
    of_identity = max(sum(load.requests for load in each) for each in loads_by_workspace)
    return Estimate(
        len(loads),
        sum(load.cells for load in loads),
        sum(load.requests for load in loads),
        max(side_by_side, of_identity / REQUESTS_PER_MINUTE_PER_USER),
        sum(load.skipped for load in loads),
    )


def requests_of(cell: Cell) -> int:
    """What a cell with rows that fit one page costs."""
    return SPECIAL_REQUESTS.get(cell.dimension_set, REQUESTS_PER_CELL)
