"""Each dimension set has a table of its own: what the stores promise holds for all of them, and none disturbs another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from contract.dimension_sets import DIMENSION_SETS, DimensionSet
from sync.account import Site
from sync.plan.cells import (
    AnyRow,
    AppearanceRow,
    Cell,
    CellResult,
    DimensionRow,
    FetchedCell,
    HourRow,
    Row,
    TotalsRow,
)
from sync.plan.inventory import Sitemap
from sync.store import migrate
from sync.store.connect import Connections
from sync.store.layouts import LAYOUTS
from sync.store.memory import MemoryStore
from sync.store.migrations import versions
from sync.store.port import Claimed, RunKey, Store
from sync.store.postgres import PostgresStore
from tests.integration.store.done import done_by
from tests.postgres import Database

RUN, NEXT, THIRD = RunKey("uid-1", "29000000"), RunKey("uid-1", "29001440"), RunKey("uid-1", "29002880")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
DAY = date(2026, 11, 1)
"""The day of 25 hours."""
MIDNIGHT = datetime(2026, 11, 1, 7, tzinfo=UTC)

ROWS: Mapping[DimensionSet, list[AnyRow]] = {
    "page-query": [Row("/a", "q", "usa", "MOBILE", 1, 10, 1.5), Row("/a", "", "deu", "", 0, 1, None)],
    "totals": [TotalsRow(2**40, 2**45, 3.25)],
    "page": [DimensionRow("/a", 1, 10, 1.5), DimensionRow("/b\0", 2, 20, None)],
    "query": [DimensionRow("", 1, 10, 1.5), DimensionRow("q", 2, 20, 7.0)],
    "country": [DimensionRow("usa", 2**33, 2**34, 1.5), DimensionRow("zzz", 2, 20, 7.0)],
    "device": [DimensionRow("MOBILE", 2**33, 2**34, 1.5), DimensionRow("WATCH", 2, 20, 7.0)],
    "search-appearance": [
        AppearanceRow("VIDEO", "/a", 1, 10, 1.5),
        AppearanceRow("VIDEO", "/b", 2, 20, None),
    ],
    "hourly": [HourRow(MIDNIGHT + timedelta(hours=hour), "/a", hour, 100, 1.5) for hour in range(25)],
}
SETS = pytest.mark.parametrize("name", DIMENSION_SETS)


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    database: Database = request.getfixturevalue("database")
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: NOW, sleep=lambda _: None) as real:
        real.migrate()
        yield real


def claimed(store: Store, run: RunKey = RUN) -> RunKey:
    assert isinstance(store.claim_run(run, 1), Claimed)
    return run


def cell_of(name: DimensionSet) -> Cell:
    return Cell("sc-domain:example.com", DAY, "web", name)


def fetched(name: DimensionSet, rows: list[AnyRow]) -> FetchedCell:
    return FetchedCell(cell_of(name), rows, final=True, aggregation="auto", pages=1, requests=1)


def write(store: Store, name: DimensionSet, rows: list[AnyRow], run: RunKey = RUN) -> CellResult:
    return store.write_cell(fetched(name, rows), run, 1)


def shown(rows: list[AnyRow]) -> set[tuple[object, ...]]:
    return {
        tuple(part.replace("\0", "\u2400") if isinstance(part, str) else part for part in row) for row in rows
    }


@SETS
def test_rows_come_back_as_they_went_in(store: Store, name: DimensionSet) -> None:
    claimed(store)
    assert write(store, name, ROWS[name]) == CellResult(inserted=len(ROWS[name]))
    found = store.rows(cell_of(name))
    assert {tuple(row) for row in found} == shown(ROWS[name])
    assert {type(row) for row in found} == {type(row) for row in ROWS[name]}


@SETS
def test_a_cell_is_replaced_as_a_set_and_then_left_alone(store: Store, name: DimensionSet) -> None:
    first, *others = ROWS[name]
    changed = first._replace(clicks=0, position=None)
    write(store, name, ROWS[name], claimed(store))
    assert write(store, name, [changed], claimed(store, NEXT)) == CellResult(updated=1, deleted=len(others))
    assert {tuple(row) for row in store.rows(cell_of(name))} == shown([changed])
    assert write(store, name, ROWS[name], NEXT) == CellResult(inserted=len(others), updated=1)
    assert write(store, name, ROWS[name], claimed(store, THIRD)) == CellResult(
        unchanged=len(ROWS[name]), skipped=True
    )


@SETS
def test_an_empty_answer_must_be_heard_twice(store: Store, name: DimensionSet) -> None:
    write(store, name, ROWS[name], claimed(store))
    assert write(store, name, [], claimed(store, NEXT)).kept_because_empty
    assert len(store.rows(cell_of(name))) == len(ROWS[name])
    assert write(store, name, [], claimed(store, THIRD)) == CellResult(deleted=len(ROWS[name]))
    assert list(store.rows(cell_of(name))) == []


@SETS
def test_what_happens_to_one_set_leaves_the_others_as_they_are(store: Store, name: DimensionSet) -> None:
    claimed(store)
    for each in DIMENSION_SETS:
        write(store, each, ROWS[each])
    assert done_by(store, RUN, cell_of(name).property) == {cell_of(each) for each in DIMENSION_SETS}
    write(store, name, ROWS[name][:1])
    assert {each: len(store.rows(cell_of(each))) for each in DIMENSION_SETS} == {
        each: len(ROWS[each][:1] if each == name else ROWS[each]) for each in DIMENSION_SETS
    }
    assert {
        entry.cell.dimension_set: entry.rows for entry in store.ledger(cell_of(name).property, DAY, DAY)
    } == {each: len(ROWS[each][:1] if each == name else ROWS[each]) for each in DIMENSION_SETS}


def test_every_set_has_a_table_and_a_view_that_says_what_its_rows_are(database: Database) -> None:
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        for name in DIMENSION_SETS:
            write(store, name, ROWS[name])
    for name, layout in LAYOUTS.items():
        columns = ", ".join(key.shown for key in layout.keys) or "property"
        found = database.execute(
            f"SELECT property, search_type, day, clicks, impressions, ctr, position, {columns} FROM gsc.{layout.view}"
        )
        assert len(found) == len(ROWS[name])
        assert {row[:3] for row in found} == {("sc-domain:example.com", "web", DAY)}
        assert {row[5] for row in found} == {row.clicks / row.impressions for row in ROWS[name]}
        assert database.execute(f"SELECT count(*) FROM gsc.{layout.table}_2026_11") == [(len(ROWS[name]),)]
    assert database.execute("SELECT count(DISTINCT hour) FROM gsc.v_by_hour") == [(25,)]
    assert database.execute(
        "SELECT count(*) FROM gsc.v_by_hour WHERE extract(hour FROM hour AT TIME ZONE 'America/Los_Angeles') = 1"
    ) == [(2,)]


def test_down_and_up_again_forgets_the_sets_and_nothing_else(database: Database) -> None:
    """The ledger must not call rows unchanged that went with their table."""
    connections = Connections(database.destination(), limit=1)
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        for name in DIMENSION_SETS:
            write(store, name, ROWS[name])
        migrate.downgrade(connections, "gsc", BEFORE)
        assert database.execute("SELECT DISTINCT dimension_set FROM gsc.ledger") == [("page-query",)]
        assert database.execute("SELECT count(*) FROM gsc.v_page_query") == [(2,)]
        store.migrate()
        assert {
            name: write(store, name, ROWS[name]).inserted for name in DIMENSION_SETS if name != "page-query"
        } == {name: len(ROWS[name]) for name in DIMENSION_SETS if name != "page-query"}
        assert write(store, "page-query", ROWS["page-query"]).skipped
    connections.close()


VERSIONS = sorted(file.stem[1:5] for file in Path(versions.__path__[0]).glob("v[0-9]*.py"))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_can_be_gone_back_to_with_data_in_it(database: Database, version: str) -> None:
    """And come from again; the facts that were there in the first version are there all the time."""
    connections = Connections(database.destination(), limit=1)
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        for name in DIMENSION_SETS:
            write(store, name, ROWS[name])
        store.inventory.note_properties("acme", [Site("sc-domain:example.com", "siteOwner")], RUN, 1)
        store.inventory.write_sitemaps("sc-domain:example.com", [Sitemap("/sitemap.xml")], RUN, 1)
        migrate.downgrade(connections, "gsc", version)
        assert database.execute("SELECT version_num FROM gsc.schema_version") == [(version,)]
        assert database.execute("SELECT count(*) FROM gsc.v_page_query") == [(2,)]
        store.migrate()
        for name in DIMENSION_SETS:
            write(store, name, ROWS[name])
            assert {tuple(row) for row in store.rows(cell_of(name))} == shown(ROWS[name])
    connections.close()


BEFORE = "0003"
"""The version before the sets came."""
