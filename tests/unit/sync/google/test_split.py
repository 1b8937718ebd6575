"""Beyond the cap: parts that neither overlap nor leave a row out, within a budget, and believed only when they add up."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.run_spec import DataState
from sync.google.answers import Page
from sync.google.fetch import fetch
from sync.google.pages import Gathered
from sync.google.queries import Filter, Grouping, query_body
from sync.google.split import best_prefix, heaviest_half
from sync.plan.cells import CAP_ROWS, Cell, DimensionRow, Row, TotalsRow
from tests.unit.sync.fakes import TODAY

CELL = Cell("sc-domain:a", TODAY, "web")
COUNTRIES = ["usa", "deu", "gbr", "fra", "ind", "zzz"]
DEVICES = ["MOBILE", "DESKTOP", "TABLET"]


class Google:
    """Shows the top of the rows that a question asks for, grouped as it asks, and counts questions."""

    def __init__(self, rows: list[Row], totals: Callable[[int], int] = lambda clicks: clicks) -> None:
        self.rows = rows
        self.totals = totals
        self.asked: list[tuple[Grouping, int]] = []
        self._answers: dict[Grouping, list[tuple[tuple[str, ...], int, int]]] = {}

    def __call__(self, grouping: Grouping, start_row: int, row_limit: int) -> Page:
        query_body(CELL.search_type, grouping, CELL.day, CELL.day, start_row, row_limit)
        self.asked.append((grouping, start_row))
        if grouping not in self._answers:
            self._answers[grouping] = self._answer(grouping)
        found = self._answers[grouping][start_row : min(CAP_ROWS, start_row + row_limit)]
        make = {0: TotalsRow, 1: DimensionRow, 4: Row}[len(grouping.dimensions)]
        rows = [make(*key, clicks, impressions, 1.0) for key, clicks, impressions in found]
        if not grouping.dimensions:
            rows = [TotalsRow(self.totals(row.clicks), row.impressions, 1.0) for row in rows]
        return Page([row[:-3] for row in rows], rows, len(rows))

    def _answer(self, grouping: Grouping) -> list[tuple[tuple[str, ...], int, int]]:
        clicks: Counter[tuple[str, ...]] = Counter()
        shown: Counter[tuple[str, ...]] = Counter()
        tests = [_test(condition) for condition in grouping.filters]
        for row in self.rows:
            if all(test(row) for test in tests):
                key = tuple(getattr(row, name) for name in grouping.dimensions)
                clicks[key] += row.clicks
                shown[key] += row.impressions
        return sorted(((key, clicks[key], shown[key]) for key in shown), key=lambda each: (-each[1], each[0]))


def _test(condition: Filter) -> Callable[[Row], bool]:
    name, text = condition.dimension, condition.expression
    pattern = re.compile(text)
    return {
        "equals": lambda row: getattr(row, name) == text,
        "notEquals": lambda row: getattr(row, name) != text,
        "includingRegex": lambda row: pattern.search(getattr(row, name)) is not None,
        "excludingRegex": lambda row: pattern.search(getattr(row, name)) is None,
    }[condition.operator]


def rows_of(
    number: int, devices: list[str] = DEVICES, countries: list[str] = COUNTRIES, pages: int = 400
) -> list[Row]:
    rng = random.Random(number)
    return [
        Row(
            f"https://a.example/{n % 7}/(c++)?{n % pages}",
            f"q{n}",
            countries[min(int(rng.expovariate(0.7)), len(countries) - 1)],
            devices[n % len(devices)],
            max(0, 2_000 - n // 40),
            2_000 + n % 13,
            1.0,
        )
        for n in range(number)
    ]


def read(google: Google, requests: int) -> Gathered:
    return fetch(CELL, DataState.ALL, google, expect_rows=True, split_requests=requests)


@pytest.mark.parametrize(
    ("rows", "conditions"),
    [
        pytest.param(rows_of(56_000), {"device"}, id="device is enough"),
        pytest.param(
            rows_of(104_000, devices=["MOBILE", "TABLET"]),
            {"device", "country"},
            id="a device that is still too large goes by country",
        ),
        pytest.param(rows_of(56_000, devices=["MOBILE"]), {"country"}, id="one device only"),
        pytest.param(
            rows_of(56_000, devices=["MOBILE"], countries=["usa"]), {"page"}, id="one device, one country"
        ),
    ],
)
def test_every_row_is_found_and_the_cell_is_no_longer_saturated(
    rows: list[Row], conditions: set[str]
) -> None:
    google = Google(rows)
    found = read(google, 500)
    assert set(found.rows) == set(rows)
    assert len(found.rows) == len(rows)
    assert (found.saturated, found.consistent) == (False, True)
    assert found.parts >= 2
    assert {each.dimension for grouping, _ in google.asked for each in grouping.filters} == conditions
    assert found.pages == len(google.asked)


def test_parts_never_overlap() -> None:
    """So many rows came as there are, however the parts were cut; none came with two parts."""
    rows = rows_of(104_000, devices=["MOBILE", "TABLET"])
    google = Google(rows)
    found = read(google, 500)
    parts = Counter(grouping for grouping, _ in google.asked if len(grouping.dimensions) == 4)
    leaves = [
        grouping
        for grouping in parts
        if not any(
            other != grouping and other.filters[: len(grouping.filters)] == grouping.filters
            for other in parts
        )
    ]
    assert sum(len(google._answer(leaf)) for leaf in leaves) == len(rows)
    assert found.parts == len(leaves)


@pytest.mark.parametrize("requests", [0, 1, 2, 3, 6, 10])
def test_the_budget_is_kept_and_what_was_read_until_then_is_kept_too(requests: int) -> None:
    rows = rows_of(104_000, devices=["MOBILE", "TABLET"])
    google = Google(rows)
    found = read(google, requests)
    assert len(google.asked) <= 2 + requests
    assert found.saturated
    assert set(sorted(rows, key=lambda r: (-r.clicks, r[:4]))[:CAP_ROWS]) <= set(found.rows) <= set(rows)
    assert len(set(found.rows)) == len(found.rows)


def test_a_cell_below_the_cap_costs_nothing_more() -> None:
    google = Google(rows_of(30_000))
    assert read(google, 500).parts == 0
    assert len(google.asked) == 3


def test_what_nothing_divides_stays_saturated() -> None:
    one_page = [
        Row("https://a.example/", f"q{n}", "usa", "MOBILE", 60_000 - n, 60_000, 1.0) for n in range(60_000)
    ]
    found = read(Google(one_page), 500)
    assert (found.saturated, len(found.rows)) == (True, CAP_ROWS)


def test_a_set_that_no_filter_divides_costs_nothing_more() -> None:
    queries = Google(rows_of(60_000))
    cell = Cell(CELL.property, CELL.day, "web", "query")
    found = fetch(cell, DataState.ALL, queries, expect_rows=True, split_requests=500)
    assert (found.saturated, found.parts, len(queries.asked)) == (True, 0, 2)


def test_a_split_with_more_clicks_than_the_totals_is_not_used() -> None:
    google = Google(rows_of(56_000), totals=lambda clicks: clicks - 1)
    found = read(google, 500)
    assert (found.saturated, len(found.rows), found.parts) == (True, CAP_ROWS, 0)
    assert not found.consistent, "so the next run asks again"


def test_a_split_that_lost_rows_of_the_unsplit_answer_is_not_used() -> None:
    """Filters that hide rows: whoever relies on them would delete what Google shows without them."""
    rows = rows_of(56_000)
    google = Google(rows)
    honest = google._answer

    def hiding(grouping: Grouping) -> list[tuple[tuple[str, ...], int, int]]:
        return (
            honest(grouping)[1:] if grouping.filters and len(grouping.dimensions) == 4 else honest(grouping)
        )

    google._answer = hiding
    found = read(google, 500)
    assert (found.saturated, len(found.rows), found.consistent) == (True, CAP_ROWS, False)


weights = st.dictionaries(
    st.text(st.sampled_from("ab/é"), min_size=1, max_size=6), st.integers(0, 50), min_size=2, max_size=12
)


@settings(deadline=None)
@given(weights)
def test_a_cut_leaves_something_on_both_sides(values: dict[str, int]) -> None:
    half = heaviest_half(values)
    assert 0 < len(half) < len(values)
    prefix = best_prefix(values)
    begins = [value.startswith(prefix or "") for value in values]
    if prefix is None:
        return
    assert any(begins)
    assert not all(begins)


def test_the_prefix_that_divides_best_is_chosen() -> None:
    pages = {"https://a/": 10, "https://a/blog/1": 30, "https://a/blog/2": 30, "https://a/shop": 40}
    assert best_prefix(pages) == "https://a/blog/"[: len("https://a/b")]
    assert best_prefix({"https://a/": 10, "https://a/x": 5}) == "https://a/x"
