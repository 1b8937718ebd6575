"""The oracle: pure, distinct, exact in size, restated with age, capped without ties."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import Config, Dataset, Property, Stage
from emulator.config import SEARCH_TYPES, SearchType
from emulator.dataset import Row, rank

DAY = date(2026, 3, 10)
SITE = "sc-domain:a.example"


def dataset(
    rows: int, search_type: SearchType = "web", *, seed: int = 1, cap: int = 50_000, **more: float
) -> Dataset:
    prop = Property(url=SITE, rows={search_type: rows}, **more)
    return Dataset(seed, Config(properties=(prop,), cap=cap))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(),
    rows=st.integers(0, 300),
    age=st.integers(0, 900),
    search_type=st.sampled_from(SEARCH_TYPES),
    stage=st.sampled_from(Stage),
)
def test_every_day_is_deterministic_distinct_and_plausible(
    seed: int, rows: int, age: int, search_type: SearchType, stage: Stage
) -> None:
    day = DAY - timedelta(days=age)
    shown = dataset(rows, search_type, seed=seed).visible(SITE, day, search_type, stage)
    assert shown == dataset(rows, search_type, seed=seed).visible(SITE, day, search_type, stage)
    assert len({row.key for row in shown}) == len(shown)
    if stage is not Stage.PARTIAL:
        assert len(shown) == rows
    assert shown == sorted(shown, key=rank)
    for row in shown:
        assert 0 <= row.clicks <= row.impressions
        assert row.impressions >= 1
        assert (row.position is None) == (search_type in ("discover", "googleNews"))
        assert row.position is None or row.position >= 1
        assert (row.query == "") == (search_type in ("discover", "googleNews"))
        assert (row.device == "") == (search_type == "discover")


def test_a_recount_gives_every_tenth_row_other_numbers_and_no_other_row() -> None:
    def shown(revision: int) -> dict[object, Row]:
        prop = Property(url=SITE, rows={"web": 500})
        data = Dataset(1, Config(properties=(prop,), revision=revision))
        return {row.key: row for row in data.named(SITE, DAY, "web", Stage.FINAL)}

    first, second, third = (shown(revision) for revision in range(3))
    assert first.keys() == second.keys() == third.keys()
    assert sum(first[key] != second[key] for key in first) == 50
    assert sum(second[key] != third[key] for key in first) == 50


def test_a_day_published_anew_has_other_rows_and_its_neighbours_do_not() -> None:
    prop = Property(url=SITE, rows={"web": 500})
    before, after = (
        Dataset(1, Config(properties=(prop,), published_anew=days))
        for days in (frozenset(), frozenset({DAY}))
    )
    for day, same in ((DAY, False), (DAY - timedelta(days=1), True)):
        old, new = (data.named(SITE, day, "web", Stage.FINAL) for data in (before, after))
        assert (old == new) is same
        assert ({row.key for row in old} == {row.key for row in new}) is same


@pytest.mark.parametrize("rows", [10, 333, 2000])
def test_final_data_differs_from_fresh_data_in_rows_that_vanish_appear_and_change(rows: int) -> None:
    data = dataset(rows)
    fresh = {row.key: row for row in data.named(SITE, DAY, "web", Stage.FRESH)}
    final = {row.key: row for row in data.named(SITE, DAY, "web", Stage.FINAL)}
    assert len(fresh.keys() - final.keys()) == max(1, round(rows * 0.02))
    assert len(final.keys() - fresh.keys()) == max(1, round(rows * 0.02))
    both = fresh.keys() & final.keys()
    changed = [key for key in both if fresh[key] != final[key]]
    assert 0 < len(changed) < len(both)


def test_a_running_day_shows_less_than_it_will() -> None:
    data = dataset(1000)
    partial, final = (data.totals(SITE, DAY, "web", stage) for stage in (Stage.PARTIAL, Stage.FINAL))
    assert partial.clicks < final.clicks
    assert partial.impressions < final.impressions
    assert len(data.named(SITE, DAY, "web", Stage.PARTIAL)) < 1000


def test_days_types_properties_and_seeds_differ() -> None:
    config = Config(
        properties=(
            Property(url=SITE, rows={"web": 50, "image": 50}),
            Property(url="sc-domain:b.example", rows={"web": 50}),
        )
    )
    data = Dataset(1, config)
    seen = [
        data.visible(SITE, DAY, "web", Stage.FINAL),
        data.visible(SITE, DAY + timedelta(days=1), "web", Stage.FINAL),
        data.visible(SITE, DAY, "image", Stage.FINAL),
        data.visible("sc-domain:b.example", DAY, "web", Stage.FINAL),
        Dataset(2, config).visible(SITE, DAY, "web", Stage.FINAL),
    ]
    assert all(first != second for index, first in enumerate(seen) for second in seen[index + 1 :])
    assert data.visible(SITE, DAY, "news", Stage.FINAL) == []


def test_days_of_a_property_share_most_of_their_keys() -> None:
    data = dataset(1000)
    days = [
        {row.key for row in data.named(SITE, DAY + timedelta(days=n), "web", Stage.FINAL)} for n in range(2)
    ]
    assert len(days[0] & days[1]) > 600


def test_the_cap_cuts_where_clicks_end_so_no_tie_decides() -> None:
    data = dataset(300, cap=200)
    shown = data.visible(SITE, DAY, "web", Stage.FINAL)
    beyond = set(data.named(SITE, DAY, "web", Stage.FINAL)) - set(shown)
    assert len(shown) == 200
    assert len(beyond) == 100
    assert min(row.clicks for row in shown) > max(row.clicks for row in beyond) == 0


def test_more_than_fifty_thousand_rows() -> None:
    data = dataset(50_500)
    shown = data.visible(SITE, DAY, "web", Stage.FINAL)
    assert len(shown) == 50_000
    assert shown[-1].clicks == 1
    assert len(data.named(SITE, DAY, "web", Stage.FINAL)) == 50_500


def test_anonymised_queries_count_in_totals_only() -> None:
    data = dataset(400, anonymised=0.5)
    rows = data.rows(SITE, DAY, "web", Stage.FINAL)
    withheld = [row for row in rows if row.query is None]
    assert len(withheld) == 200
    shown = data.visible(SITE, DAY, "web", Stage.FINAL)
    totals = data.totals(SITE, DAY, "web", Stage.FINAL)
    assert totals.clicks == sum(row.clicks for row in shown) + sum(row.clicks for row in withheld)
    assert totals.clicks > sum(row.clicks for row in shown)


def test_variation_makes_days_differ_in_size() -> None:
    data = dataset(1000, variation=0.2)
    sizes = {len(data.named(SITE, DAY + timedelta(days=n), "web", Stage.FINAL)) for n in range(10)}
    assert len(sizes) > 5
    assert all(800 <= size <= 1200 for size in sizes)


def test_texts_are_as_awkward_as_real_ones() -> None:
    rows: list[Row] = dataset(3000).visible(SITE, DAY, "web", Stage.FINAL)
    pages, queries = {row.page for row in rows}, {row.query or "" for row in rows}
    assert any(len(page) > 1000 for page in pages)
    assert any("%" in page for page in pages)
    assert any(f"{page}/" in pages for page in pages)
    folded = [page.casefold() for page in pages]
    assert len(set(folded)) < len(folded)
    assert any(not query.isascii() for query in queries)
    assert {row.device for row in rows} == {"MOBILE", "DESKTOP", "TABLET"}
    assert "zzz" in {row.country for row in rows}
    assert all(len(row.country) == 3 and row.country.islower() for row in rows)


def test_the_oracle_knows_nothing_of_the_product() -> None:
    program = (
        "import sys, emulator.dataset\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('sync', 'contract', 'controller')])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == "[]"
