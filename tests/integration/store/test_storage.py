"""How rows lie in Postgres: no doubled row without a key over them, months given up whole, readers never kept waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from sync.plan.cells import Cell, FetchedCell, Row
from sync.store import migrate
from sync.store.connect import Connections
from sync.store.migrate import SHORT_LOCK_MILLISECONDS
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from sync.store.retention import month_lock
from tests.integration.store.waiting import until
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
SITE = "sc-domain:example.com"
CELL_INDEX = "0006b"


@pytest.fixture
def store(database: Database) -> Iterator[PostgresStore]:
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: NOW, sleep=lambda _: None) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        yield store


def cell(day: date) -> Cell:
    return Cell(SITE, day, "web")


def fetched(day: date, rows: int = 3, clicks: int = 1) -> FetchedCell:
    return FetchedCell(
        cell(day), [Row(f"/{n}", "q", "usa", "MOBILE", clicks, 4, 1.25) for n in range(rows)], final=True
    )


def months(database: Database) -> list[str]:
    found = database.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = 'gsc.page_query'::regclass ORDER BY 1"
    )
    return [name.removeprefix("page_query_") for (name,) in found]


def test_writers_of_one_empty_cell_double_no_row(database: Database, store: PostgresStore) -> None:
    day = date(2026, 11, 3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda clicks: store.write_cell(fetched(day, 500, clicks), RUN, 1), range(8)))
    assert database.execute("SELECT count(*), count(DISTINCT (page_id, query_id)) FROM gsc.page_query") == [
        (500, 500)
    ]
    assert database.execute("SELECT count(DISTINCT clicks) FROM gsc.page_query") == [(1,)]


def test_a_cell_is_found_by_its_index_alone(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(date(2026, 11, 3)), RUN, 1)
    found = database.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'gsc' AND tablename = 'page_query_2026_11'"
    )
    assert len(found) == 1
    assert found[0][0].endswith("(property_id, search_type_id, day)")


def test_tables_without_a_key_can_be_replicated_with_their_updates_and_deletes(
    database: Database, store: PostgresStore
) -> None:
    """Without a replica identity, a publication makes every UPDATE and DELETE of the sync an error."""
    store.write_cell(fetched(date(2026, 11, 3)), RUN, 1)
    database.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    changed = fetched(date(2026, 11, 3), 2, clicks=2)
    result = store.write_cell(changed, RUN, 1)
    assert (result.updated, result.deleted) == (2, 1)


def test_the_cell_index_comes_and_goes_with_data_in_the_table(
    database: Database, store: PostgresStore
) -> None:
    for day in (date(2026, 10, 31), date(2026, 11, 3)):
        store.write_cell(fetched(day, 50), RUN, 1)
    before = store.rows(cell(date(2026, 11, 3)))
    connections = Connections(database.destination(), limit=1)
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid::regclass::text LIKE 'gsc.page_query%'"
    older = migrate.revisions()[migrate.revisions().index(CELL_INDEX) - 1]
    migrate.downgrade(connections, "gsc", older)
    assert database.execute(keys) == [(4,)]
    migrate.migrate(connections, "gsc")
    connections.close()
    assert database.execute(keys) == [(0,)]
    assert store.rows(cell(date(2026, 11, 3))) == before
    assert store.write_cell(fetched(date(2026, 11, 3), 51), RUN, 1).inserted == 1


def test_old_months_go_whole_and_can_come_back(database: Database, store: PostgresStore) -> None:
    for day in (date(2024, 12, 31), date(2025, 1, 1), date(2026, 11, 3)):
        store.write_cell(fetched(day), RUN, 1)
    assert months(database) == ["2024_12", "2025_01", "2025_02", "2026_11", "2026_12"]
    assert store.drop_before(date(2025, 1, 1)) == 1
    assert months(database) == ["2025_01", "2025_02", "2026_11", "2026_12"]
    assert database.execute("SELECT day FROM gsc.ledger ORDER BY 1") == [
        (date(2025, 1, 1),),
        (date(2026, 11, 3),),
    ]
    assert store.drop_before(date(2025, 1, 1)) == 0
    assert store.write_cell(fetched(date(2024, 12, 31)), RUN, 1).inserted == 3
    assert len(store.rows(cell(date(2024, 12, 31)))) == 3


def test_a_month_that_somebody_reads_stays_until_the_next_run(
    database: Database, store: PostgresStore
) -> None:
    store.write_cell(fetched(date(2024, 12, 31)), RUN, 1)
    with psycopg.connect(database.uri) as reader:
        assert reader.execute("SELECT count(*) FROM gsc.page_query").fetchone() == (3,)
        began = time.monotonic()
        assert store.drop_before(date(2025, 1, 1)) == 0
        assert time.monotonic() - began < 3 * SHORT_LOCK_MILLISECONDS / 1000
        assert reader.execute("SELECT count(*) FROM gsc.page_query").fetchone() == (3,)
    assert database.execute("SELECT count(*) FROM gsc.ledger") == [(1,)]
    assert store.drop_before(date(2025, 1, 1)) == 1


@pytest.mark.parametrize("work", ["a new month", "a month given up"])
def test_a_second_reader_waits_no_longer_than_the_lock_timeout(
    database: Database, store: PostgresStore, work: str
) -> None:
    """The first reader keeps its transaction open; whoever comes while DDL waits for it queues behind that DDL."""
    store.write_cell(fetched(date(2024, 12, 31)), RUN, 1)
    steps = {
        "a new month": lambda: store.write_cell(fetched(date(2020, 1, 5)), RUN, 1),
        "a month given up": lambda: store.drop_before(date(2025, 1, 1)),
    }
    with psycopg.connect(database.uri) as first, ThreadPoolExecutor(1) as pool:
        first.execute("SELECT count(*) FROM gsc.page_query")
        done = pool.submit(steps[work])
        slowest = 0.0
        while not done.done():
            began = time.monotonic()
            with psycopg.connect(database.uri) as second:
                second.execute("SELECT count(*) FROM gsc.v_page_query")
            slowest = max(slowest, time.monotonic() - began)
        done.result()
    assert slowest < SHORT_LOCK_MILLISECONDS / 1000 + 1


def test_readers_wait_for_no_ledger_while_a_month_is_given_up(
    database: Database, store: PostgresStore
) -> None:
    """Somebody holds a row of the ledger, which stands for a ledger so long that clearing it takes its time."""
    store.write_cell(fetched(date(2024, 12, 31)), RUN, 1)
    with psycopg.connect(database.uri) as slow, ThreadPoolExecutor(1) as pool:
        slow.execute("SELECT FROM gsc.ledger FOR UPDATE")
        giving_up = pool.submit(store.drop_before, date(2025, 1, 1))
        until(lambda: waiting(database) == 1)
        with psycopg.connect(database.uri) as reader:
            reader.execute("SET lock_timeout = '100ms'")
            assert reader.execute("SELECT count(*) FROM gsc.page_query").fetchone() == (3,)
        slow.rollback()
        assert giving_up.result(30) == 1
    assert months(database) == ["2025_01"]


def test_a_cell_that_is_written_again_while_its_month_goes_keeps_ledger_and_rows_together(
    database: Database, store: PostgresStore
) -> None:
    """The same rows once more: only the ledger would move, and it says that rows are there."""
    cell_of_old = fetched(date(2024, 12, 31))
    store.write_cell(cell_of_old, RUN, 1)
    with psycopg.connect(database.uri) as retention, ThreadPoolExecutor(1) as pool:
        retention.execute("DELETE FROM gsc.ledger")
        retention.execute("DROP TABLE gsc.page_query_2024_12")
        writing = pool.submit(store.write_cell, cell_of_old, RUN, 1)
        until(lambda: waiting(database) == 1)
        retention.commit()
        assert writing.result(30).inserted == 3
    assert len(store.rows(cell_of_old.cell)) == 3
    assert database.execute("SELECT rows FROM gsc.ledger") == [(3,)]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_cell_that_comes_new_while_its_month_goes_leaves_no_ledger_without_rows(
    database: Database, store: PostgresStore, isolation: str
) -> None:
    """The writer is halfway when retention begins: its row of the ledger is seen by nobody yet."""
    store.write_cell(fetched(date(2024, 12, 31)), RUN, 1)
    database.execute("CREATE TABLE public.saved AS TABLE gsc.ledger; DELETE FROM gsc.ledger")
    (name,) = database.execute("SELECT current_database()")
    database.execute(f"ALTER DATABASE \"{name[0]}\" SET default_transaction_isolation = '{isolation}'")
    writer = psycopg.connect(database.uri)
    with (
        writer,
        ThreadPoolExecutor(1) as pool,
        PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW) as other,
    ):
        writer.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))",
            month_lock("gsc", "page_query", date(2024, 12, 31)),
        )
        writer.execute("LOCK TABLE gsc.page_query_2024_12 IN ROW EXCLUSIVE MODE")
        giving_up = pool.submit(other.drop_before, date(2025, 1, 1))
        until(lambda: waiting(database) == 1)
        writer.execute("INSERT INTO gsc.ledger TABLE public.saved")
        writer.commit()
        assert giving_up.result(30) == 1
    assert months(database) == ["2025_01"]
    assert database.execute("SELECT count(*) FROM gsc.ledger") == [(0,)]


def test_writers_of_a_month_and_its_retention_never_wait_crosswise(
    database: Database, store: PostgresStore
) -> None:
    days = [date(2024, 12, day) for day in range(1, 9)]
    before = deadlocks(database)

    def work(number: int) -> None:
        if number % 8 == 7:
            store.drop_before(date(2025, 1, 1))
        else:
            store.write_cell(fetched(days[number % 8], clicks=1 + number % 3), RUN, 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(64)))
    for entry in store.ledger(SITE, days[0], days[-1]):
        assert len(store.rows(entry.cell)) == entry.rows
    assert deadlocks(database) == before


def waiting(database: Database) -> int:
    """How many wait for a lock."""
    ((count,),) = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return int(count)


def deadlocks(database: Database) -> int:
    ((count,),) = database.execute(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(count)


QUERIES = Path(__file__).parents[3] / "docs" / "queries"


@pytest.mark.parametrize("name", ["top-pages", "lost-queries", "coverage-by-day"])
def test_the_documented_queries_answer_a_role_that_may_only_read(
    database: Database, store: PostgresStore, name: str
) -> None:
    old, new = date(2026, 10, 10), date(2026, 11, 10)
    for day, clicks in ((old, 50), (new, 1)):
        store.write_cell(fetched(day, 4, clicks), RUN, 1)
    role = f"reader_{database.execute('SELECT current_database()')[0][0]}"
    database.execute((QUERIES / "setup" / "reader-role.sql").read_text().replace("gsc_reader", role))
    text = (QUERIES / f"{name}.sql").read_text().replace("sc-domain:acme.com", SITE)
    expected = {
        "top-pages": [("/0", 1, 4, -49), ("/1", 1, 4, -49), ("/2", 1, 4, -49), ("/3", 1, 4, -49)],
        "lost-queries": [("q", 200, 4)],
        "coverage-by-day": [(new, "web", 1, 1, 0, 4, NOW), (old, "web", 1, 1, 0, 4, NOW)],
    }
    with psycopg.connect(database.uri) as reader:
        reader.execute(f'SET ROLE "{role}"')
        found = reader.execute(text.replace("current_date", "date '2026-11-20'")).fetchall()
        assert sorted(found) == sorted(expected[name])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM gsc.ledger")
    database.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
