"""Inspected pages are what the index says, of the pages with most impressions, within a quota of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator import run_emulator
from emulator.config import Account, Config, Property, Quota
from emulator.inspection import inspected
from tests.integration.exact.test_dimension_sets import NOW, World
from tests.postgres import Database

DOMAIN, RESTRICTED = "sc-domain:a.example", "https://r.example/"


def config(quota: Quota | None = None) -> Config:
    return Config(
        seed=5,
        properties=(Property(url=DOMAIN, rows={"web": 600}), Property(url=RESTRICTED, rows={"web": 60})),
        accounts=(Account(name="acme", properties={DOMAIN: "siteOwner", RESTRICTED: "siteRestrictedUser"}),),
        inspection_quota=quota or Quota(),
    )


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with run_emulator(config(), now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def sync(world: World, now: datetime, pages: int) -> None:
    world.emulator.set_now(now)
    world.sync(now, days=2, types=["web"], sets=["page-query"], inspections=pages)


def known(world: World) -> dict[str, tuple[Any, ...]]:
    return {
        row[0]: row[1:]
        for row in world.database.execute(
            "SELECT page, verdict, coverage, fetched, crawled_at, google_canonical, user_canonical FROM gsc.v_url_inspection"
        )
    }


def asked(world: World, property_: str = DOMAIN) -> list[dict[str, Any]]:
    return world.emulator.requests(operation="inspect", property=property_)


def test_the_best_pages_are_what_the_index_says_of_them(world: World) -> None:
    sync(world, NOW, 20)
    best = world.database.execute(
        'SELECT page FROM gsc.v_page_query WHERE property = %s GROUP BY page ORDER BY sum(impressions) DESC, page COLLATE "C" LIMIT 20',
        [DOMAIN],
    )
    assert set(known(world)) == {page for (page,) in best}
    for page, found in known(world).items():
        status = inspected(5, DOMAIN, page)["inspectionResult"]["indexStatusResult"]
        crawled = status.get("lastCrawlTime")
        assert found == (
            status["verdict"], status["coverageState"], status.get("pageFetchState", ""),
            datetime.fromisoformat(crawled) if crawled else None,
            status.get("googleCanonical", ""), status.get("userCanonical", ""),
        )  # fmt: skip
    assert len(asked(world, RESTRICTED)) == 1, "a restricted user is told so once, and nothing fails"


def test_the_day_has_so_many_questions_and_the_next_day_goes_on(world: World) -> None:
    sync(world, NOW, 12)
    world.emulator.clear_requests()
    sync(world, NOW + timedelta(hours=3), 12)
    assert asked(world) == []
    sync(world, NOW + timedelta(days=1), 12)
    assert len(asked(world)) == 12
    assert len(known(world)) == 24


def test_a_spent_quota_ends_inspections_and_nothing_else(database: Database, tmp_path: Path) -> None:
    with run_emulator(config(Quota(per_day=7)), now=NOW, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path)
        sync(world, NOW, 20)
        assert len(known(world)) == 7
        assert database.execute(
            "SELECT count(DISTINCT day) FROM gsc.v_page_query WHERE property = %s", [DOMAIN]
        ) == [(2,)]
        emulator.clear_requests()
        sync(world, NOW + timedelta(days=1), 20)
        assert len(known(world)) == 14


def test_it_is_off_unless_asked_for(world: World) -> None:
    sync(world, NOW, 0)
    assert asked(world) == []


def test_a_page_that_google_calls_wrong_keeps_no_other_back(world: World) -> None:
    world.emulator.faults(
        [
            {
                "match": {"operation": "inspect", "property": DOMAIN, "nth": 2, "times": 1},
                "fault": {"kind": "bad-request"},
            }
        ]
    )
    sync(world, NOW, 5)
    verdicts = [found[0] for found in known(world).values()]
    assert (len(verdicts), verdicts.count("")) == (5, 1)
