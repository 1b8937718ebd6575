"""Inspected pages, held against both stores: which are due, how many were asked today, what is known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sync.errors import Superseded
from sync.plan.cells import AnyRow, Cell, DimensionRow, FetchedCell, Row
from sync.plan.inspection import Inspection
from sync.store.port import RunKey, Store
from tests.integration.store.test_inventory import Now, now, store  # noqa: F401 - fixtures
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
SITE, OTHER = "sc-domain:a.example", "sc-domain:b.example"
DAY, LONG_AGO = date(2026, 11, 18), date(2026, 10, 1)
WEEK = timedelta(days=7)
FULL = Inspection(
    "/best", "PASS", "Submitted and indexed", "ALLOWED", "INDEXING_ALLOWED", "SUCCESSFUL", "MOBILE",
    datetime(2026, 2, 3, tzinfo=UTC), "https://a/", "https://b/",
)  # fmt: skip


def facts(into: Store, site: str, day: date, name: str, rows: list[AnyRow]) -> None:
    into.write_cell(FetchedCell(Cell(site, day, "web", name), rows, final=True), RUN, 1)  # type: ignore[arg-type]


def seen(page: str, impressions: int, query: str = "q") -> Row:
    return Row(page, query, "usa", "MOBILE", 0, impressions, 1.0)


@pytest.fixture
def filled(store: Store) -> Store:  # noqa: F811
    facts(
        store,
        SITE,
        DAY,
        "page-query",
        [seen("/good", 30), seen("/best", 40), seen("/best", 5, "r"), seen("/a\0", 90)],
    )
    facts(store, SITE, DAY, "page", [DimensionRow("/good", 0, 35, 1.0), DimensionRow("/only", 0, 20, 1.0)])
    facts(store, SITE, LONG_AGO, "page-query", [seen("/old", 500)])
    facts(store, OTHER, DAY, "page-query", [seen("/other", 900)])
    return store


def due(filled: Store, now: Now, most: int = 10) -> list[str]:  # noqa: F811
    return list(filled.inspections.due(SITE, DAY, now() - WEEK, most))


def test_pages_with_most_impressions_lately_are_due_first(filled: Store, now: Now) -> None:  # noqa: F811
    assert due(filled, now) == ["/best", "/good", "/only"]
    assert due(filled, now, most=0) == []
    assert filled.inspections.due("sc-domain:unknown", DAY, now(), 5) == []


def test_what_was_inspected_is_due_again_after_a_week_and_counts_today(filled: Store, now: Now) -> None:  # noqa: F811
    inspections, began = filled.inspections, now()
    inspections.write(SITE, [FULL, Inspection("/good")], RUN, 1)
    assert due(filled, now) == ["/only"]
    assert (inspections.asked_since(SITE, began), inspections.asked_since(OTHER, began)) == (2, 0)
    assert list(inspections.known(SITE)) == [FULL, Inspection("/good")]
    now.moment += WEEK + timedelta(hours=1)
    assert due(filled, now) == ["/best", "/good", "/only"]
    assert inspections.asked_since(SITE, began + WEEK) == 0
    inspections.write(SITE, [Inspection("/best", "FAIL")], RUN, 1)
    assert list(inspections.known(SITE)) == [Inspection("/best", "FAIL"), Inspection("/good")]


def test_a_launch_that_no_longer_holds_the_run_writes_nothing(filled: Store, now: Now) -> None:  # noqa: F811
    filled.claim_run(RUN, 2)
    with pytest.raises(Superseded):
        filled.inspections.write(SITE, [FULL], RUN, 1)
    assert filled.inspections.asked_since(SITE, now() - WEEK) == 0


def test_a_change_is_what_the_index_says_and_not_when_it_was_asked(database: Database, now: Now) -> None:  # noqa: F811
    from sync.store.postgres import PostgresStore  # noqa: PLC0415

    with PostgresStore(database.destination(), pool_size=1, clock=now, sleep=lambda _: None) as real:
        real.migrate()
        real.claim_run(RUN, 1)
        for verdict in ("PASS", "PASS", "FAIL"):
            real.inspections.write(SITE, [Inspection("/a", verdict)], RUN, 1)
            now.moment += timedelta(days=1)
    assert database.execute("SELECT verdict, changed_at, inspected_at FROM gsc.v_url_inspection") == [
        ("FAIL", Now.moment + timedelta(days=2), Now.moment + timedelta(days=2))
    ]
