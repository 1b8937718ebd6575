"""Beyond Google's cap: a saturated cell is asked for again in parts, each of which is below it.

A part is halved by a condition and its opposite, so parts never overlap and never leave a row out: by device first,
then by country, then by page prefix, whichever dimensions the set has. Each cut wants two halves with about equal
impressions. A budget of requests ends the splitting; what was read until then is kept, and the cell stays saturated.

That filters show what the cap hides is reported by users and documented nowhere, so the result is checked: every row
of the unsplit answer must be there again, and the clicks of all rows may not exceed the totals. A split that does not
add up is not used.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sync.google.answers import Page
from sync.google.pages import Gathered, gather
from sync.google.queries import AskPage, Filter, Grouping
from sync.plan.cells import PAGE_ROWS, AnyRow, DimensionRow

ORDER = ("device", "country", "page")
MAX_EXPRESSION = 4096
"""Characters of a regular expression that Google takes."""

Weights = Mapping[str, int]
"""Values of a dimension with their impressions."""

_log = logging.getLogger(__name__)


class _Spent(Exception):  # noqa: N818 - a state, not an error
    """The budget is used up."""


@dataclass(slots=True)
class _Budget:
    ask: AskPage
    left: int
    used: int = 0

    def __call__(self, grouping: Grouping, start_row: int, row_limit: int) -> Page:
        if self.left <= 0:
            raise _Spent
        self.left -= 1
        self.used += 1
        return self.ask(grouping, start_row, row_limit)


@dataclass(slots=True)
class _Union:
    """Everything the parts have brought. `saturated` counts parts at the cap that no cut could divide further."""

    rows: dict[tuple[Any, ...], AnyRow] = field(default_factory=dict)
    quarantined: dict[str, None] = field(default_factory=dict)
    parts: int = 0
    saturated: int = 0
    duplicates: int = 0
    conflicts: int = 0
    missing: int = 0

    def take(self, part: Gathered) -> None:
        self.rows.update((row[:-3], row) for row in part.rows)
        self.quarantined.update(dict.fromkeys(part.quarantined))
        self.duplicates += part.duplicates

    def close(self, part: Gathered) -> None:
        """The part is as it will be."""
        self.parts += 1
        self.saturated += part.saturated
        self.conflicts += part.conflicts
        self.missing += part.missing


def split(ask: AskPage, grouping: Grouping, parent: Gathered, requests: int) -> Gathered:
    """The rows of a saturated grouping from its parts, at the price of `requests` more at most.

    Raises what `ask` raises.
    """
    dimensions = [name for name in ORDER if name in grouping.dimensions]
    if not dimensions:
        return parent
    budget, union, whole = _Budget(ask, requests - 1), _Union(), True
    try:
        _divide(budget, grouping, parent, dimensions, None, union)
    except _Spent:
        whole = False
    # Asked last: on a running day counts grow, so totals that are older than the rows would look too small.
    total = sum(row.clicks for row in ask(grouping.by(), 0, 1).rows)
    before = {row[:-3]: row for row in parent.rows}
    lost = before.keys() - union.rows.keys() if whole else set()
    changed = sum(union.rows.get(key, row) != row for key, row in before.items())
    rows = {**before, **union.rows}
    clicks = sum(row.clicks for row in rows.values())
    pages = parent.pages + budget.used + 1
    if lost or clicks > total:
        _log.warning(
            "a split of a saturated cell does not add up and is not used: %d of its rows are in no part, %d clicks of %d",
            len(lost), clicks, total,
        )  # fmt: skip
        return replace(parent, pages=pages, conflicts=parent.conflicts + max(1, changed))
    return Gathered(
        rows=list(rows.values()),
        quarantined=tuple({**dict.fromkeys(parent.quarantined), **union.quarantined}),
        saturated=not whole or union.saturated > 0,
        aggregation=parent.aggregation,
        pages=pages,
        duplicates=parent.duplicates + union.duplicates,
        conflicts=parent.conflicts + union.conflicts + changed,
        missing=union.missing,
        parts=union.parts,
    )


def _divide(
    ask: _Budget,
    grouping: Grouping,
    held: Gathered,
    dimensions: list[str],
    known: Weights | None,
    union: _Union,
) -> None:
    """Halve a grouping at the cap until no part is, or nothing divides it. `known` are values of the first dimension."""
    for at, dimension in enumerate(dimensions):
        values = known if at == 0 and known is not None else _values(ask, grouping, dimension)
        cut = _cut(dimension, values)
        if cut is None:
            continue
        for condition, inside in cut:
            half = grouping.where(condition)
            part = gather(lambda start, limit, half=half: ask(half, start, limit))  # type: ignore[misc]
            union.take(part)
            if part.saturated:
                _divide(ask, half, part, dimensions[at:], inside if dimension != "page" else None, union)
            else:
                union.close(part)
        return
    union.close(held)


def _values(ask: _Budget, grouping: Grouping, dimension: str) -> Weights:
    """The values with most clicks; a value that is not among them falls into the half that is an opposite."""
    rows = ask(grouping.by(dimension), 0, PAGE_ROWS).rows
    return {row.value: row.impressions for row in cast("list[DimensionRow]", rows)}


def _cut(dimension: str, values: Weights) -> list[tuple[Filter, Weights]] | None:
    """A condition and its opposite, with the values that lie on each side; None when there is nothing to cut."""
    if len(values) < 2:
        return None
    if dimension == "page":
        prefix = best_prefix(values)
        if prefix is None:
            return None
        chosen = {value for value in values if value.startswith(prefix)}
        expression = "^" + re.escape(prefix)
    else:
        chosen = heaviest_half(values)
        if len(chosen) == 1:
            expression = next(iter(chosen))
            return _sides(dimension, ("equals", "notEquals"), expression, chosen, values)
        expression = f"^({'|'.join(map(re.escape, sorted(chosen)))})$"
    if len(expression) > MAX_EXPRESSION:
        return None
    return _sides(dimension, ("includingRegex", "excludingRegex"), expression, chosen, values)


def _sides(
    dimension: str, operators: tuple[Any, Any], expression: str, chosen: set[str], values: Weights
) -> list[tuple[Filter, Weights]]:
    inside = {value: weight for value, weight in values.items() if value in chosen}
    outside = {value: weight for value, weight in values.items() if value not in chosen}
    return [
        (Filter(dimension, operators[0], expression), inside),
        (Filter(dimension, operators[1], expression), outside),
    ]


def heaviest_half(values: Weights) -> set[str]:
    """The fewest values that have half of the weight, but never all of them."""
    chosen: set[str] = set()
    weight, half = 0, sum(values.values()) / 2
    for value in sorted(values, key=lambda each: (-values[each], each)):
        if chosen and (weight >= half or len(chosen) == len(values) - 1):
            break
        chosen.add(value)
        weight += values[value]
    return chosen


def best_prefix(values: Weights) -> str | None:
    """A beginning that some values have and others have not, with about half of the weight; None when there is none.

    It follows the heavier branch from what all have in common, and stops where a branch is lighter than half.
    """
    whole = sum(values.values())
    inside = dict(values)
    best: tuple[float, str] | None = None
    while True:
        prefix = os.path.commonprefix(list(inside))  # noqa: RUF071 - characters are meant
        branches: Counter[str] = Counter()
        for value, weight in inside.items():
            if len(value) > len(prefix):
                branches[value[len(prefix)]] += weight + 1
        if not branches:
            break
        prefix += max(branches, key=lambda char: (branches[char], char))
        inside = {value: weight for value, weight in inside.items() if value.startswith(prefix)}
        weight = sum(inside.values())
        if len(inside) < len(values):
            best = min(best or (2.0 * whole + 1, prefix), (abs(2.0 * weight - whole), prefix))
        if weight * 2 <= whole:
            break
    return best[1] if best else None
