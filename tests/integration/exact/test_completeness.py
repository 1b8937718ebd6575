"""What the completeness views say of each cell, against the data set: the withheld share, the cap, what is still open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from emulator import run_emulator
from emulator.config import Property
from emulator.pacific import pacific_day, stage_of
from tests.integration.exact.test_dimension_sets import BIG, CONFIG, NOW, SMALL, World, window
from tests.postgres import Database


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with run_emulator(CONFIG, now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def withheld(world: World, day: date) -> tuple[int, int]:
    """Clicks of queries that Google withholds, and all clicks."""
    data, stage = world.emulator.dataset, stage_of(day, NOW, CONFIG.fresh_days)
    total = data.totals(BIG, day, "web", stage).clicks
    return total - sum(row.clicks for row in data.named(BIG, day, "web", stage)), total


@pytest.mark.parametrize(
    ("sets", "source"),
    [
        pytest.param(["page-query", "query", "totals"], "totals", id="beside the totals set"),
        pytest.param(["page-query", "query"], "probe", id="beside what the probe showed"),
    ],
)
def test_the_anonymised_share_is_the_clicks_that_no_query_has(world: World, sets, source) -> None:
    world.sync(NOW, days=5, types=["web"], sets=sets)
    for name in ("page-query", "query"):
        found = world.database.execute(
            "SELECT day, total_clicks, anonymised_share, click_share, totals_from FROM gsc.v_completeness"
            " WHERE property = %s AND dimension_set = %s ORDER BY day DESC",
            [BIG, name],
        )
        assert [row[0] for row in found] == window(NOW, 5)
        for day, total, share, rest, totals_from in found:
            missing, clicks = withheld(world, day)
            assert missing > 0, "without withheld clicks there is nothing to see"
            assert (total, totals_from) == (clicks, source)
            assert share == pytest.approx(missing / clicks)
            assert share + rest == pytest.approx(1)


def test_sets_without_queries_hold_every_click(world: World) -> None:
    world.sync(NOW, days=5)
    assert world.database.execute(
        "SELECT DISTINCT dimension_set, click_share, anonymised_share FROM gsc.v_completeness"
        " WHERE dimension_set NOT IN ('page-query', 'query') AND total_clicks > 0 ORDER BY 1"
    ) == [
        (name, None if name == "search-appearance" else 1.0, None)
        for name in ("country", "device", "hourly", "page", "search-appearance", "totals")
    ]
    assert world.database.execute(
        "SELECT count(*) FROM gsc.v_completeness WHERE search_type IN ('discover', 'googleNews') AND anonymised_share IS NOT NULL"
    ) == [(0,)], "where there are no queries, none is withheld"


def test_open_days_and_missing_days_are_counted(world: World) -> None:
    world.sync(NOW, days=5, types=["web"], sets=["page-query"])
    gone = pacific_day(NOW) - timedelta(days=1)
    world.database.execute("DELETE FROM gsc.ledger WHERE day = %s", [gone])
    found = world.database.execute(
        "SELECT days, missing_days, open_days, complete_days, saturated_days, quarantined_rows"
        " FROM gsc.v_completeness_by_property WHERE property = %s",
        [BIG],
    )
    fresh = CONFIG.fresh_days - 1
    assert found == [(4, 1, fresh, 4 - fresh, 0, 0)]


def test_a_saturated_day_is_not_called_complete(database: Database, tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={"properties": (Property(url=BIG, rows={"web": 50_400}), Property(url=SMALL))}
    )
    settled = NOW - timedelta(days=CONFIG.fresh_days + 1)
    with run_emulator(config, now=NOW, keys=tmp_path / "keys") as emulator:
        World(emulator, database, tmp_path).sync(
            settled, days=1, types=["web"], sets=["page-query", "totals"], now=NOW
        )
    assert database.execute(
        "SELECT dimension_set, rows, final, saturated, complete FROM gsc.v_completeness WHERE property = %s ORDER BY 1",
        [BIG],
    ) == [("page-query", 50_000, True, True, False), ("totals", 1, True, False, True)]
