"""Beyond the cap, against the data set: all rows of a day of which Google shows the top alone, or as many as the budget buys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from emulator import run_emulator
from emulator.config import Property
from emulator.pacific import Stage, pacific_day
from tests.integration.exact.test_dimension_sets import BIG, CONFIG, NOW, SMALL, World
from tests.postgres import Database

SETTLED = NOW - timedelta(days=CONFIG.fresh_days + 1)
DAY = pacific_day(SETTLED)
LATER = SETTLED + timedelta(hours=1)
"""Another slot of the same days."""
ROWS = 112_000
"""More than twice the cap."""


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    config = CONFIG.model_copy(
        update={"properties": (Property(url=BIG, rows={"web": ROWS}), Property(url=SMALL))}
    )
    with run_emulator(config, now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def stored(world: World) -> set[tuple[object, ...]]:
    return set(
        world.database.execute(
            "SELECT page, query, country, device, clicks, impressions, position FROM gsc.v_page_query WHERE property = %s",
            [BIG],
        )
    )


def said(world: World) -> tuple[object, ...]:
    return world.database.execute(
        "SELECT rows, saturated, complete FROM gsc.v_completeness WHERE property = %s AND dimension_set = 'page-query'",
        [BIG],
    )[0]


def test_a_saturated_day_is_read_whole_in_parts(world: World) -> None:
    summary = world.sync(SETTLED, days=1, types=["web"], sets=["page-query"], now=NOW, split_requests=60)
    everything = {tuple(row) for row in world.emulator.dataset.named(BIG, DAY, "web", Stage.FINAL)}
    assert len(everything) == ROWS
    assert (stored(world) - everything, everything - stored(world)) == (set(), set())
    assert said(world) == (ROWS, False, True)
    assert summary.saturated_cells == 0
    assert len(world.emulator.requests(operation="query")) <= 40


def test_a_budget_that_ends_too_early_keeps_what_it_bought(world: World) -> None:
    world.sync(SETTLED, days=1, types=["web"], sets=["page-query"], now=NOW, split_requests=6)
    top = {tuple(row) for row in world.emulator.dataset.visible(BIG, DAY, "web", Stage.FINAL)}
    everything = {tuple(row) for row in world.emulator.dataset.named(BIG, DAY, "web", Stage.FINAL)}
    assert top < stored(world) < everything
    assert said(world)[1:] == (True, False)
    assert len(world.emulator.requests(operation="query", property=BIG)) <= 1 + 2 + 6


def test_it_is_off_unless_asked_for(world: World) -> None:
    world.sync(SETTLED, days=1, types=["web"], sets=["page-query"], now=NOW)
    assert said(world) == (50_000, True, False)
    assert len(world.emulator.requests(operation="query", property=BIG)) == 1 + 2


def test_who_splits_nothing_does_not_take_away_what_another_found_by_splitting(world: World) -> None:
    """Two schedules of one property and one schema."""
    world.sync(SETTLED, days=1, types=["web"], sets=["page-query"], now=NOW, split_requests=60)
    found = stored(world)
    # So that the day is doubted, and fetched once more.
    world.database.execute("UPDATE gsc.ledger SET probe_clicks = NULL RETURNING 1")
    world.sync(LATER, days=1, types=["web"], sets=["page-query"], now=NOW)
    assert stored(world) == found


def test_a_settled_day_that_was_cut_is_read_whole_once_it_may_be_split(world: World) -> None:
    for slot, allowed in ((SETTLED, 0), (LATER, 60)):
        world.sync(slot, days=1, types=["web"], sets=["page-query"], now=NOW, split_requests=allowed)
    assert said(world) == (ROWS, False, True)


def test_a_budget_that_was_too_small_is_spent_once_and_not_in_every_run(world: World) -> None:
    asked = []
    for slot in (SETTLED, LATER, LATER + timedelta(hours=1)):
        before = len(world.emulator.requests(operation="query", property=BIG))
        world.sync(slot, days=1, types=["web"], sets=["page-query"], now=NOW, split_requests=6)
        asked.append(len(world.emulator.requests(operation="query", property=BIG)) - before)
    assert asked[2] == 1, "the probe alone"
