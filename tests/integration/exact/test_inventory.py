"""Properties and sitemaps are what Google lists: domain properties included, restricted users excused, once a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.dimension_sets import Inventory
from emulator import run_emulator
from emulator.config import Account, Config, Property
from emulator.sitemaps import sitemaps_of
from tests.integration.exact.test_dimension_sets import NOW, World
from tests.postgres import Database

DOMAIN, PREFIX, RESTRICTED, UNVERIFIED = (
    "sc-domain:a.example", "https://b.example/", "https://r.example/", "https://u.example/",
)  # fmt: skip
PERMISSIONS = {
    DOMAIN: "siteOwner",
    PREFIX: "siteFullUser",
    RESTRICTED: "siteRestrictedUser",
    UNVERIFIED: "siteUnverifiedUser",
}


def config(sitemaps: int = 6, without: str = "") -> Config:
    urls = [url for url in PERMISSIONS if url != without]
    return Config(
        seed=5,
        properties=tuple(Property(url=url, rows={"web": 5}, sitemaps=sitemaps) for url in urls),
        accounts=(Account(name="acme", properties={url: PERMISSIONS[url] for url in urls}),),
    )


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with run_emulator(config(), now=NOW, keys=tmp_path / "keys") as emulator:
        yield World(emulator, database, tmp_path)


def sync(world: World, now: datetime, inventory: tuple[Inventory, ...] = ("properties", "sitemaps")) -> None:
    world.sync(now, days=1, types=["web"], sets=["totals"], inventory=inventory)


def listed(entry: dict[str, Any]) -> tuple[Any, ...]:
    """One of Google's entries as the view shows it."""

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(entry[name]) if name in entry else None

    contents = {each["type"]: int(each["submitted"]) for each in entry["contents"]}
    return (
        entry["path"], entry["type"], entry.get("isSitemapsIndex", False), entry.get("isPending", False),
        moment("lastSubmitted"), moment("lastDownloaded"), int(entry.get("warnings", 0)), int(entry.get("errors", 0)),
        sum(contents.values()), contents,
    )  # fmt: skip


def shown(world: World, url: str) -> list[tuple[Any, ...]]:
    return world.database.execute(
        "SELECT path, type, is_index, is_pending, submitted_at, downloaded_at, warnings, errors, urls, contents"
        " FROM gsc.v_sitemaps WHERE property = %s AND gone_at IS NULL ORDER BY path",
        [url],
    )


def test_the_tables_hold_what_google_lists(world: World) -> None:
    sync(world, NOW)
    for url in (DOMAIN, PREFIX):
        expected = [listed(entry) for entry in sitemaps_of(world.emulator.dataset.property_of(url))]
        assert shown(world, url) == sorted(expected, key=lambda row: row[0])
    assert shown(world, RESTRICTED) == []
    assert world.database.execute(
        "SELECT sitemaps FROM gsc.sitemap_list JOIN gsc.property ON property.id = property_id WHERE url = %s",
        [RESTRICTED],
    ) == [(None,)]
    assert set(
        world.database.execute("SELECT property, kind, permission, readable, workspace FROM gsc.v_properties")
    ) == {
        (url, "domain" if url == DOMAIN else "url-prefix", permission, url != UNVERIFIED, "acme")
        for url, permission in PERMISSIONS.items()
    }


def test_sitemaps_are_asked_for_once_a_day(world: World) -> None:
    """But a refusal is no answer: the property of the restricted user is asked for in every run."""
    sync(world, NOW)
    for hours, asked in ((6, [RESTRICTED]), (12, [RESTRICTED]), (24, [DOMAIN, PREFIX, RESTRICTED])):
        world.emulator.clear_requests()
        world.emulator.set_now(NOW + timedelta(hours=hours))
        sync(world, NOW + timedelta(hours=hours))
        found = world.emulator.requests(operation="sitemaps.list")
        assert sorted(each["property"] for each in found) == sorted(asked)


def test_nothing_is_asked_or_kept_unless_switched_on(world: World) -> None:
    sync(world, NOW, inventory=())
    assert world.emulator.requests(operation="sitemaps.list") == []
    assert world.database.execute("SELECT count(*) FROM gsc.property_access") == [(0,)]


def test_what_went_away_is_marked(world: World, tmp_path: Path) -> None:
    sync(world, NOW)
    later = NOW + timedelta(days=1)
    with run_emulator(config(sitemaps=2, without=PREFIX), now=later, keys=tmp_path / "keys") as emulator:
        sync(World(emulator, world.database, tmp_path), later)
    assert len(shown(world, DOMAIN)) == 2
    gone = world.database.execute("SELECT gone_at FROM gsc.v_sitemaps WHERE gone_at IS NOT NULL")
    assert [later <= at < later + timedelta(minutes=5) for (at,) in gone] == [True] * 4
    [(url, at)] = world.database.execute(
        "SELECT property, gone_at FROM gsc.v_properties WHERE gone_at IS NOT NULL"
    )
    assert (url, later <= at < later + timedelta(minutes=5)) == (PREFIX, True)
    assert len(shown(world, PREFIX)) == 6, "nobody lists them any more, and nobody said that they are gone"


@pytest.mark.parametrize("kind", ["html-500", "captive-page", "truncated-json", "rate-403"])
def test_a_list_that_stumbles_is_asked_for_again(world: World, kind: str) -> None:
    world.emulator.faults([{"match": {"operation": "sitemaps.list", "times": 1}, "fault": {"kind": kind}}])
    sync(world, NOW)
    assert (len(shown(world, DOMAIN)), len(shown(world, PREFIX))) == (6, 6)
