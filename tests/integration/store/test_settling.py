"""Indexes and constraints on filled tables: made beside writers and readers, and taken up again wherever they were cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from sync.account import Site
from sync.plan.cells import Cell, FetchedCell, Row
from sync.store import migrate
from sync.store.connect import Connections
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from sync.store.settle import LOCK, Settling
from sync.store.settle_steps import WANTED, Constraint, Index, Step
from tests.integration.store.waiting import until
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
PROPERTY = "sc-domain:example.com"
PAGES = Index("page_query_pages", "page_query", "(property_id, page_id, day)")
POSITIVE = Constraint("clicks_positive", "page_query", "CHECK (clicks >= 0)")
NAMES = [step.name for step in WANTED]


def never() -> bool:
    return False


@pytest.fixture
def store(database: Database) -> Iterator[PostgresStore]:
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: NOW, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        write(store, date(2026, 9, 3))
        yield store


def write(store: PostgresStore, day: date, clicks: int = 1) -> None:
    rows = [Row(f"/{n}", "q", "usa", "MOBILE", clicks, 4, 1.25) for n in range(3)]
    store.write_cell(FetchedCell(Cell(PROPERTY, day, "web"), rows, final=True), RUN, 1)


@contextmanager
def settling(database: Database, *steps: Step) -> Iterator[Settling]:
    connections = Connections(database.destination(), limit=1)
    yield Settling("gsc", connections, steps)
    connections.close()


@contextmanager
def an_index_that_waits(
    database: Database,
) -> Iterator[tuple[Settling, psycopg.Connection[Any], Future[Sequence[str]]]]:
    """Being made in a thread, and kept by the open transaction of a writer."""
    with (
        psycopg.connect(database.uri) as writer,
        settling(database, PAGES) as settle,
        ThreadPoolExecutor(1) as pool,
    ):
        writer.execute("UPDATE gsc.page_query_2026_09 SET clicks = 7")
        making = pool.submit(settle, never)
        until(lambda: waits_for_a_lock(database, "CREATE INDEX CONCURRENTLY"))
        yield settle, writer, making


def months_with(database: Database, index: str) -> Sequence[str]:
    """The months whose part of an index is valid and attached."""
    return [
        month.removeprefix("gsc.page_query_")
        for (month,) in database.execute(
            "SELECT indrelid::regclass::text FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid"
            " WHERE inhparent = to_regclass(%s) AND indisvalid ORDER BY 1",
            [f"gsc.{index}"],
        )
    ]


def is_valid(database: Database, index: str) -> bool | None:
    found = database.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [f"gsc.{index}"]
    )
    return found[0][0] if found else None


def test_a_launch_makes_what_this_version_wants_and_the_next_finds_nothing_to_do(
    database: Database, store: PostgresStore
) -> None:
    assert is_valid(database, "run_open") is None, "a migration does only what is done in a moment"
    assert store.settle(never) == []
    assert is_valid(database, "run_open")
    assert database.execute(
        "SELECT count(*) FROM pg_constraint WHERE convalidated AND conname = ANY (%s)", [NAMES]
    ) == [(len(NAMES) - 1,)]
    before = database.execute("SELECT max(oid) FROM pg_class")
    assert store.settle(never) == ()
    assert database.execute("SELECT max(oid) FROM pg_class") == before


def test_writers_go_on_while_an_index_waits_for_a_transaction(
    database: Database, store: PostgresStore
) -> None:
    with an_index_that_waits(database) as (_, writer, making):
        write(store, date(2026, 9, 4))
        assert len(store.rows(Cell(PROPERTY, date(2026, 9, 4), "web"))) == 3
        assert not making.done()
        writer.commit()
        assert making.result(60) == []
    assert is_valid(database, PAGES.name)
    assert months_with(database, PAGES.name) == ["2026_09", "2026_10"]


def test_a_month_that_comes_later_has_the_index_by_itself(database: Database, store: PostgresStore) -> None:
    with settling(database, PAGES, POSITIVE) as settle:
        assert settle(never) == []
        write(store, date(2025, 1, 5))
        assert settle(never) == ()
    assert months_with(database, PAGES.name) == ["2025_01", "2025_02", "2026_09", "2026_10"]
    assert is_valid(database, PAGES.name)


def half_made(database: Database) -> None:
    """As left by one that was killed while it made the index of a month."""
    database.execute(f"CREATE INDEX {PAGES.name} ON ONLY gsc.page_query {PAGES.on}")
    with psycopg.connect(database.uri) as writer, psycopg.connect(database.uri, autocommit=True) as maker:
        writer.execute("UPDATE gsc.page_query_2026_09 SET clicks = 7")
        maker.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            maker.execute(
                f"CREATE INDEX CONCURRENTLY {PAGES.name}_2026_09 ON gsc.page_query_2026_09 {PAGES.on}"
            )  # type: ignore[call-overload]


CUTS: dict[str, Callable[[Database], object]] = {
    "nothing done": lambda _: None,
    "the whole's index made": lambda database: database.execute(
        f"CREATE INDEX {PAGES.name} ON ONLY gsc.page_query {PAGES.on}"
    ),
    "a month cut off in the middle": half_made,
    "a month made, not attached": lambda database: (
        database.execute(f"CREATE INDEX {PAGES.name} ON ONLY gsc.page_query {PAGES.on}"),
        database.execute(f"CREATE INDEX {PAGES.name}_2026_09 ON gsc.page_query_2026_09 {PAGES.on}"),
    ),
    "a month attached": lambda database: (
        database.execute(f"CREATE INDEX {PAGES.name} ON ONLY gsc.page_query {PAGES.on}"),
        database.execute(f"CREATE INDEX {PAGES.name}_2026_09 ON gsc.page_query_2026_09 {PAGES.on}"),
        database.execute(f"ALTER INDEX gsc.{PAGES.name} ATTACH PARTITION gsc.{PAGES.name}_2026_09"),
    ),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_an_index_is_taken_up_where_it_was_cut_off(
    database: Database, store: PostgresStore, cut: Callable[[Database], object]
) -> None:
    cut(database)
    assert not is_valid(database, PAGES.name)
    with settling(database, PAGES) as settle:
        assert settle(never) == []
    assert is_valid(database, PAGES.name)
    assert months_with(database, PAGES.name) == ["2026_09", "2026_10"]
    assert database.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_told_to_stop_it_stops_in_the_middle_of_a_statement(database: Database, store: PostgresStore) -> None:
    told = threading.Event()
    with (
        psycopg.connect(database.uri) as writer,
        settling(database, PAGES) as settle,
        ThreadPoolExecutor(1) as pool,
    ):
        writer.execute("UPDATE gsc.page_query_2026_09 SET clicks = 7")
        making = pool.submit(settle, told.is_set)
        until(lambda: waits_for_a_lock(database, "CREATE INDEX CONCURRENTLY"))
        told.set()
        assert making.result(30) == [PAGES.name]
    assert is_valid(database, f"{PAGES.name}_2026_09") is False
    with settling(database, PAGES) as settle:
        assert settle(never) == []
    assert is_valid(database, PAGES.name)


def test_a_server_that_kills_the_session_leaves_it_to_the_next_time(
    database: Database, store: PostgresStore
) -> None:
    with an_index_that_waits(database) as (settle, writer, making):
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
        )
        with pytest.raises(Exception, match="SQLSTATE 57P01"):
            making.result(30)
        writer.rollback()
        assert settle(never) == []
    assert is_valid(database, PAGES.name)


def test_one_launch_at_a_time(database: Database, store: PostgresStore) -> None:
    with psycopg.connect(database.uri) as other, settling(database, PAGES) as settle:
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext('gsc'))", [LOCK])
        assert settle(never) == [PAGES.name]
        other.rollback()
        assert settle(never) == []


def test_eight_launches_that_end_together_make_it_once(database: Database, store: PostgresStore) -> None:
    def one(_: int) -> Sequence[str]:
        with settling(database, *WANTED, PAGES) as settle:
            return settle(never)

    with ThreadPoolExecutor(8) as pool:
        left = list(pool.map(one, range(8)))
    with settling(database, *WANTED, PAGES) as settle:
        assert settle(never) == (), left
    assert database.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_a_rule_holds_for_new_rows_first_and_then_for_old_ones(
    database: Database, store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    write(store, date(2026, 9, 5), clicks=-1)
    with settling(database, POSITIVE) as settle:
        assert settle(never) == [POSITIVE.name]
        assert "clicks_positive on page_query is left to a later launch" in caplog.text
        with pytest.raises(psycopg.errors.CheckViolation):
            database.execute("UPDATE gsc.page_query SET clicks = -2 WHERE day = '2026-09-03'")
        database.execute("UPDATE gsc.page_query SET clicks = 0 WHERE clicks < 0")
        assert settle(never) == []
    assert database.execute(
        "SELECT count(*) FROM pg_constraint WHERE conname = %s AND convalidated", [POSITIVE.name]
    ) == [(3,)]


def test_a_rule_that_old_rows_break_does_not_keep_the_others_from_being_made(
    database: Database, store: PostgresStore
) -> None:
    write(store, date(2026, 9, 5), clicks=-1)
    with settling(database, POSITIVE, *WANTED) as settle:
        assert settle(never) == [POSITIVE.name]


def test_old_rows_are_looked_at_while_a_writer_is_open(database: Database, store: PostgresStore) -> None:
    store.inventory.note_properties("acme", [Site(PROPERTY, "siteOwner")], RUN, 1)
    database.execute(
        "ALTER TABLE gsc.property_access ADD CONSTRAINT property_access_of"
        " FOREIGN KEY (property_id) REFERENCES gsc.property (id) ON DELETE CASCADE NOT VALID"
    )
    with psycopg.connect(database.uri) as writer:
        writer.execute("UPDATE gsc.property_access SET permission = 'siteFullUser'")
        assert "property_access_of" not in store.settle(never)


@pytest.mark.parametrize(
    ("table", "step"), [("sitemap", WANTED[2]), ("page_query", PAGES)], ids=["a plain table", "one in months"]
)
def test_a_table_that_somebody_holds_is_left_to_the_next_time(
    database: Database, store: PostgresStore, table: str, step: Step
) -> None:
    with psycopg.connect(database.uri) as writer, settling(database, step) as settle:
        writer.execute(f"LOCK TABLE gsc.{table} IN ROW EXCLUSIVE MODE")  # type: ignore[call-overload]
        assert settle(never) == [step.name]
        writer.rollback()
        assert settle(never) == []


def test_a_property_takes_its_lists_with_it_and_a_lost_number_is_found_anew(
    database: Database, store: PostgresStore
) -> None:
    """As after a failover that lost the newest rows: what this process remembers is not there any more."""
    assert store.settle(never) == []
    store.inventory.note_properties("acme", [Site(PROPERTY, "siteOwner")], RUN, 1)
    database.execute("DELETE FROM gsc.property")
    assert database.execute("SELECT count(*) FROM gsc.property_access") == [(0,)]
    store.inventory.note_properties("acme", [Site(PROPERTY, "siteOwner")], RUN, 1)
    assert store.inventory.properties() == {("acme", PROPERTY): ("siteOwner", True)}


@pytest.mark.parametrize("version", ["0008", "0999"], ids=["older", "newer"])
def test_a_schema_of_another_version_is_left_alone(
    database: Database, store: PostgresStore, version: str
) -> None:
    database.execute("UPDATE gsc.schema_version SET version_num = %s", [version])
    assert store.settle(never) == ()
    assert is_valid(database, "run_open") is None


def test_told_not_to_migrate_it_does_not_settle_either(database: Database, store: PostgresStore) -> None:
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, migrate=False) as looking:
        assert looking.settle(never) == ()
    assert is_valid(database, "run_open") is None


def test_going_back_takes_it_away(database: Database, store: PostgresStore) -> None:
    assert store.settle(never) == []
    connections = Connections(database.destination(), limit=1)
    migrate.downgrade(connections, "gsc")
    migrate.migrate(connections, "gsc")
    connections.close()
    assert is_valid(database, "run_open") is None
    assert store.settle(never) == []


def test_names_leave_room_for_the_month() -> None:
    assert [step.name for step in WANTED if len(step.name) > 55] == []


def waits_for_a_lock(database: Database, statement: str) -> bool:
    return database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s",
        [f"{statement}%"],
    ) == [(1,)]
