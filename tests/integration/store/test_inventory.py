"""Properties and sitemaps, held against both stores: replaced as sets, and what went away is marked and kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sync.account import Site
from sync.errors import Superseded
from sync.plan.inventory import Sitemap
from sync.store.memory import MemoryStore
from sync.store.port import RunKey, Store
from sync.store.postgres import PostgresStore
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
A, B, C = "sc-domain:a.example", "https://b.example/", "https://c\0.example/"
FULL = Sitemap(
    "https://b.example/s.xml",
    "sitemap",
    is_index=True,
    is_pending=True,
    submitted_at=datetime(2026, 1, 2, tzinfo=UTC),
    downloaded_at=datetime(2026, 1, 3, tzinfo=UTC),
    warnings=2**62,
    errors=1,
    contents=(("image", 5), ("web", 2**40)),
)


class Now:
    moment = datetime(2026, 11, 20, 4, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, now: Now) -> Iterator[Store]:
    if request.param == "memory":
        made: Store = MemoryStore(now)
        made.claim_run(RUN, 1)
        yield made
        return
    database: Database = request.getfixturevalue("database")
    with PostgresStore(database.destination(), pool_size=1, clock=now, sleep=lambda _: None) as real:
        real.migrate()
        real.claim_run(RUN, 1)
        yield real


def test_properties_come_and_go_and_come_back(store: Store) -> None:
    inventory = store.inventory
    inventory.note_properties("acme", [Site(A, "siteOwner"), Site(C, "siteUnverifiedUser")], RUN, 1)
    inventory.note_properties("globex", [Site(A, "siteRestrictedUser")], RUN, 1)
    inventory.note_properties("acme", [Site(A, "siteFullUser"), Site(B, "siteOwner")], RUN, 1)
    shown = C.replace("\0", "\u2400")
    assert dict(inventory.properties()) == {
        ("acme", A): ("siteFullUser", True),
        ("acme", B): ("siteOwner", True),
        ("acme", shown): ("siteUnverifiedUser", False),
        ("globex", A): ("siteRestrictedUser", True),
    }
    inventory.note_properties("acme", [Site(C, "siteOwner")], RUN, 1)
    assert inventory.properties()["acme", shown] == ("siteOwner", True)
    inventory.note_properties("acme", [], RUN, 1)
    assert {
        there for (workspace, _), (_, there) in inventory.properties().items() if workspace == "acme"
    } == {False}


def test_sitemaps_are_replaced_as_a_set(store: Store, now: Now) -> None:
    inventory = store.inventory
    assert inventory.sitemaps_asked_at(B) is None
    inventory.write_sitemaps(B, [FULL, Sitemap("/two")], RUN, 1)
    assert list(inventory.sitemaps(B)) == [Sitemap("/two"), FULL]
    assert inventory.sitemaps_asked_at(B) == now()
    now.moment += timedelta(days=1)
    inventory.write_sitemaps(B, [Sitemap("/two", errors=3), Sitemap("/three" + "x" * 5_000)], RUN, 1)
    assert list(inventory.sitemaps(B)) == [Sitemap("/three" + "x" * 5_000), Sitemap("/two", errors=3)]
    assert inventory.sitemaps_asked_at(B) == now()
    inventory.write_sitemaps(B, [], RUN, 1)
    assert list(inventory.sitemaps(B)) == []
    inventory.write_sitemaps(B, [FULL], RUN, 1)
    assert list(inventory.sitemaps(B)) == [FULL]
    assert list(inventory.sitemaps(A)) == []


def test_who_may_not_see_sitemaps_changes_none(store: Store, now: Now) -> None:
    store.inventory.write_sitemaps(B, [FULL], RUN, 1)
    now.moment += timedelta(days=1)
    store.inventory.write_sitemaps(B, None, RUN, 1)
    assert list(store.inventory.sitemaps(B)) == [FULL]


def test_a_refusal_keeps_nobody_else_from_asking(store: Store, now: Now) -> None:
    """Two schedules see one property: one as its owner, the other as a restricted user, who comes first and last."""
    inventory = store.inventory
    inventory.write_sitemaps(B, None, RUN, 1)
    assert inventory.sitemaps_asked_at(B) is None
    inventory.write_sitemaps(B, [FULL], RUN, 1)
    answered = now()
    now.moment += timedelta(hours=19)
    inventory.write_sitemaps(B, None, RUN, 1)
    assert inventory.sitemaps_asked_at(B) == answered
    now.moment += timedelta(hours=1)
    inventory.write_sitemaps(B, None, RUN, 1)
    assert inventory.sitemaps_asked_at(B) is None
    assert list(inventory.sitemaps(B)) == [FULL]


def test_a_launch_that_no_longer_holds_the_run_writes_nothing(store: Store) -> None:
    store.claim_run(RUN, 2)
    with pytest.raises(Superseded):
        store.inventory.note_properties("acme", [Site(A, "siteOwner")], RUN, 1)
    with pytest.raises(Superseded):
        store.inventory.write_sitemaps(B, [FULL], RUN, 1)
    assert dict(store.inventory.properties()) == {}
    assert store.inventory.sitemaps_asked_at(B) is None


def test_what_is_equal_is_not_written_again(database: Database, now: Now) -> None:
    with PostgresStore(database.destination(), pool_size=1, clock=now, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        for _ in range(2):
            store.inventory.note_properties("acme", [Site(A, "siteOwner")], RUN, 1)
            store.inventory.write_sitemaps(B, [FULL], RUN, 1)
            now.moment += timedelta(days=1)
    assert database.execute(
        "SELECT (SELECT since FROM gsc.v_properties), (SELECT changed_at FROM gsc.v_sitemaps), (SELECT asked_at FROM gsc.v_sitemaps)"
    ) == [(Now.moment, Now.moment, Now.moment + timedelta(days=1))]
    store_urls = database.execute("SELECT urls, kind FROM gsc.v_sitemaps, gsc.v_properties")
    assert store_urls == [(2**40 + 5, "domain")]
