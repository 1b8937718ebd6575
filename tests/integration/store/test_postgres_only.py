"""What only a real database can show: migrations, partitions, lost connections, privileges, the readable views."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from contract import Destination, RunSummary, State
from sync.errors import DatabaseIncompatible, DatabaseRefused, DatabaseUnavailable, Superseded
from sync.plan.cells import Cell, FetchedCell, Row
from sync.plan.totals import Totals
from sync.store import migrate
from sync.store.cell_transaction import CELL_LOCK
from sync.store.connect import Connections
from sync.store.port import Claimed, RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
CELL = Cell("sc-domain:example.com", date(2026, 11, 3), "web")


def open_store(database: Database, schema: str = "gsc") -> PostgresStore:
    return PostgresStore(database.destination(schema), pool_size=4, clock=lambda: NOW, sleep=lambda _: None)


@pytest.fixture
def store(database: Database) -> Iterator[PostgresStore]:
    with open_store(database) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        yield store


def fetched(rows: int = 3, cell: Cell = CELL, clicks: int = 1) -> FetchedCell:
    return FetchedCell(
        cell, [Row(f"/{n}", "q", "usa", "MOBILE", clicks, 4, 1.25) for n in range(rows)], final=True
    )


def test_migrating_twice_and_side_by_side_is_harmless(database: Database) -> None:
    failures: list[BaseException] = []

    def bring_up() -> None:
        try:
            with open_store(database) as store:
                store.migrate()
        except BaseException as error:  # noqa: BLE001 - handed to the assertion below
            failures.append(error)

    threads = [threading.Thread(target=bring_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    newest = migrate.revisions()[-1]
    assert database.execute("SELECT version_num FROM gsc.schema_version") == [(newest,)]


def test_down_and_up_again_with_data(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(), RUN, 1)
    with_connections = Connections(database.destination(), limit=1)
    migrate.downgrade(with_connections, "gsc")
    assert database.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'gsc'::regnamespace AND relkind IN ('p', 'v')"
    ) == [(0,)]
    migrate.migrate(with_connections, "gsc")
    assert database.execute("SELECT count(*) FROM gsc.v_page_query") == [(0,)]
    with_connections.close()


def test_a_migration_that_waits_for_a_reader_lets_others_read_and_says_who_is_in_the_way(
    database: Database, store: PostgresStore
) -> None:
    connections = Connections(database.destination(), limit=1)
    migrate.downgrade(connections, "gsc", "0006b")
    connections.close()
    pauses: list[float] = []
    patient = PostgresStore(
        database.destination(), pool_size=1, clock=lambda: NOW, sleep=pauses.append, jitter=lambda: 1.0
    )
    with psycopg.connect(database.uri, application_name="a long report") as report, patient:
        report.execute("SELECT count(*) FROM gsc.ledger")
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(patient.migrate)
            until_somebody_waits(database)
            with psycopg.connect(database.uri) as second:
                second.execute("SET statement_timeout = '4s'")
                second.execute("SELECT count(*) FROM gsc.ledger")
            with pytest.raises(DatabaseUnavailable) as refused:
                migrating.result(60)
        assert f"process {report.info.backend_pid} of postgres (a long report, for " in str(refused.value)
        assert sum(pauses) > 10
        report.rollback()
        patient.migrate()
    assert database.execute("SELECT version_num FROM gsc.schema_version") == [(migrate.revisions()[-1],)]


def test_no_share_is_below_nothing_when_rows_have_more_clicks_than_the_probe_showed(
    database: Database, store: PostgresStore
) -> None:
    """The day was restated between probe and fetch; a property of which no total is known has no share at all."""
    store.write_cell(replace(fetched(3, clicks=4), totals=Totals(10, 12)), RUN, 1)
    store.write_cell(fetched(3, cell=replace(CELL, property="https://other.example/")), RUN, 1)
    for view in ("v_completeness", "v_completeness_by_property"):
        assert database.execute(f"SELECT anonymised_share FROM gsc.{view} ORDER BY property DESC") == [
            (0.0,),
            (None,),
        ]


def test_the_schema_can_have_another_name(database: Database) -> None:
    with open_store(database, "marketing_gsc") as store:
        store.migrate()
        store.claim_run(RUN, 1)
        store.write_cell(fetched(), RUN, 1)
    assert database.execute("SELECT count(*) FROM marketing_gsc.v_page_query") == [(3,)]


def test_a_newer_schema_is_used_unless_it_says_no(database: Database, store: PostgresStore) -> None:
    database.execute("UPDATE gsc.schema_version SET version_num = '0999'")
    store.migrate()
    database.execute("UPDATE gsc.meta SET value = '2' WHERE key = 'min_program_version'")
    with pytest.raises(DatabaseIncompatible, match="newer image"):
        store.migrate()
    assert "newer image" in store.check()[0]


def test_told_not_to_migrate_it_only_looks(database: Database) -> None:
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, migrate=False) as looking:
        with pytest.raises(DatabaseRefused, match="missing or older"):
            looking.migrate()
        assert database.execute("SELECT to_regnamespace('gsc')") == [(None,)]
        with open_store(database) as store:
            store.migrate()
        looking.migrate()


def test_an_encoding_that_is_not_utf8_is_refused(database: Database, tmp_path: Path) -> None:
    database.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    folder = tmp_path / "latin"
    folder.mkdir()
    for file in database.secret.iterdir():
        (folder / file.name).write_text(file.read_text())
    (folder / "dbname").write_text("latin")
    try:
        with (
            PostgresStore(
                Destination(path=str(folder)), pool_size=1, clock=lambda: NOW, sleep=lambda _: None
            ) as store,
            pytest.raises(DatabaseIncompatible, match="UTF8"),
        ):
            store.migrate()
    finally:
        database.execute("DROP DATABASE latin WITH (FORCE)")


def test_months_are_made_when_needed_and_one_ahead(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(cell=Cell(CELL.property, date(2024, 12, 31), "web")), RUN, 1)
    store.write_cell(fetched(cell=Cell(CELL.property, date(2025, 2, 28), "image")), RUN, 1)
    names = [
        row[0]
        for row in database.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gsc.page_query'::regclass ORDER BY 1"
        )
    ]
    assert names == [f"gsc.page_query_{month}" for month in ("2024_12", "2025_01", "2025_02", "2025_03")]


def test_a_month_is_made_while_a_reader_is_open(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(), RUN, 1)
    with psycopg.connect(database.uri) as reader:
        assert reader.execute("SELECT count(*) FROM gsc.v_page_query").fetchone() == (3,)
        store.write_cell(fetched(cell=Cell(CELL.property, date(2020, 1, 5), "web")), RUN, 1)
        assert reader.execute("SELECT count(*) FROM gsc.v_page_query").fetchone() == (6,)


def test_a_connection_killed_between_cells_is_replaced(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(), RUN, 1)
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gsc-sync'"
    )
    assert store.write_cell(fetched(5), RUN, 1).inserted == 2


def test_a_connection_killed_in_the_middle_of_a_cell_loses_nothing(
    database: Database, store: PostgresStore
) -> None:
    """A trigger kills the first backend that inserts, half way; the transaction is repeated as a whole."""
    store.write_cell(fetched(1), RUN, 1)
    database.execute(
        """
        CREATE TABLE public.kills (n int);
        CREATE SEQUENCE public.count;
        CREATE FUNCTION public.kill() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('public.count') = 20 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER kill BEFORE INSERT ON gsc.page_query FOR EACH ROW EXECUTE FUNCTION public.kill();
        """
    )
    result = store.write_cell(fetched(50), RUN, 1)
    assert (result.inserted, result.unchanged) == (49, 1)
    assert len(store.rows(CELL)) == 50
    assert database.execute("SELECT rows FROM gsc.ledger") == [(50,)]


def test_unchanged_rows_are_not_touched(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(100), RUN, 1)
    versions = "SELECT xmin::text FROM gsc.page_query GROUP BY 1"
    (before,) = database.execute(versions)
    store.write_cell(fetched(101), RUN, 1)
    assert len(database.execute(versions)) == 2
    assert database.execute(f"SELECT count(*) FROM gsc.page_query WHERE xmin::text = '{before[0]}'") == [
        (100,)
    ]


def test_the_views_read_like_the_api(database: Database, store: PostgresStore) -> None:
    store.write_cell(fetched(1, clicks=2), RUN, 1)
    assert database.execute(
        "SELECT property, search_type, day, page, query, country, device, clicks, impressions, ctr, position FROM gsc.v_page_query"
    ) == [(CELL.property, "web", CELL.day, "/0", "q", "usa", "MOBILE", 2, 4, 0.5, 1.25)]
    assert database.execute("SELECT rows, clicks, impressions, final, saturated FROM gsc.v_coverage") == [
        (1, 2, 4, True, False)
    ]
    assert database.execute("SELECT run_id, launch, state FROM gsc.v_runs") == [(RUN.run_id, 1, "running")]


def test_quarantined_rows_are_kept_as_they_came(database: Database, store: PostgresStore) -> None:
    strange = FetchedCell(CELL, [], final=False, quarantined=('{"keys":["a\\u0000"]}', "b\0c"))
    store.write_cell(strange, RUN, 1)
    assert database.execute("SELECT row_text FROM gsc.quarantine ORDER BY id") == [
        ('{"keys":["a\\u0000"]}',),
        ("b\u2400c",),
    ]
    store.write_cell(fetched(), RUN, 1)
    assert database.execute("SELECT count(*) FROM gsc.quarantine") == [(0,)]


def test_check_says_nothing_when_all_is_well(store: PostgresStore) -> None:
    assert list(store.check()) == []


def test_check_names_the_grants_that_are_missing(database: Database, store: PostgresStore) -> None:
    database.execute("DROP ROLE IF EXISTS poor")
    database.execute("CREATE ROLE poor LOGIN")
    (database.secret / "user").write_text("poor")
    try:
        with open_store(database) as poor:
            problems = "\n".join(poor.check())
            assert 'GRANT USAGE ON SCHEMA "gsc" TO "poor"' in problems
            with pytest.raises(DatabaseRefused, match='GRANT USAGE, CREATE ON SCHEMA "gsc" TO <role>;'):
                poor.claim_run(RUN, 1)
            database.execute("GRANT USAGE, CREATE ON SCHEMA gsc TO poor")
            problems = "\n".join(poor.check())
            assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON "gsc".ledger TO "poor"' in problems
            assert 'GRANT postgres TO "poor"' in problems, "only the owner adds months"
            database.execute("DROP SCHEMA gsc CASCADE")
            assert "GRANT CREATE ON DATABASE" in poor.check()[0]
    finally:
        database.execute("DROP OWNED BY poor; DROP ROLE poor")


def test_a_long_month_of_big_cells(store: PostgresStore) -> None:
    """25,000 rows twice: loaded by plain COPY, then a tenth of them changed."""
    rows = [Row(f"/page/{n % 700}", f"query {n}", "usa", "MOBILE", n % 5, n, n / 7) for n in range(25_000)]
    assert store.write_cell(FetchedCell(CELL, rows, final=False), RUN, 1).inserted == 25_000
    changed = [row if n % 10 else row._replace(clicks=row.clicks + 1) for n, row in enumerate(rows)]
    result = store.write_cell(FetchedCell(CELL, changed, final=True), RUN, 1)
    assert (result.updated, result.unchanged) == (2_500, 22_500)


def test_a_summary_with_a_poisoned_message_stays_readable(database: Database, store: PostgresStore) -> None:
    """A message with NUL must not break the view for all runs."""
    store.finish_run(RUN, 1, RunSummary(state=State.FAILED, message="a\0b", rows_written=5), complete=False)
    assert database.execute("SELECT state, outcome, rows_written, message FROM gsc.v_runs") == [
        ("ended", "Failed", 5, "a\u2400b")
    ]


def test_a_summary_nobody_can_read_does_not_block_the_run(database: Database, store: PostgresStore) -> None:
    store.finish_run(RUN, 1, RunSummary(state=State.SUCCEEDED), complete=True)
    database.execute("""UPDATE gsc.run SET summary = '{"version": 99}'""")
    assert store.claim_run(RUN, 2) == Claimed(previous_launch=1)
    assert store.write_cell(fetched(), RUN, 2).inserted == 3


def test_a_read_only_database_is_not_written_but_waited_for(database: Database, store: PostgresStore) -> None:
    database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$"
    )
    store._forget()
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        store.write_cell(fetched(), RUN, 1)


def test_every_table_and_view_says_what_it_is(database: Database, store: PostgresStore) -> None:
    silent = database.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'gsc'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND NOT relispartition AND relname <> 'schema_version' AND obj_description(oid, 'pg_class') IS NULL"
    )
    assert silent == []


def test_a_writer_that_waited_for_its_cell_finds_itself_superseded(
    database: Database, store: PostgresStore
) -> None:
    """Launch 1 waits for the cell while launch 2 takes over: it must look at the fence after the wait."""
    store.write_cell(fetched(), RUN, 1)
    with psycopg.connect(database.uri) as other, ThreadPoolExecutor(1) as pool:
        (name,) = database.execute(
            "SELECT format('gsc/%s/%s/%s/%s', property_id, search_type_id, day, dimension_set) FROM gsc.ledger"
        )
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [CELL_LOCK, name[0]])
        waiting = pool.submit(store.write_cell, fetched(clicks=9), RUN, 1)
        until_somebody_waits(database)
        assert store.claim_run(RUN, 2) == Claimed(previous_launch=1)
        other.rollback()
        with pytest.raises(Superseded):
            waiting.result(30)
    assert {row.clicks for row in store.rows(CELL)} == {1}


def test_taking_over_waits_for_a_cell_that_is_being_written(database: Database, store: PostgresStore) -> None:
    """What launch 1 commits, it commits before launch 2 holds the run, never after."""
    store.write_cell(fetched(), RUN, 1)
    with psycopg.connect(database.uri) as other, ThreadPoolExecutor(2) as pool:
        other.execute("LOCK TABLE gsc.page_query IN EXCLUSIVE MODE")
        writing = pool.submit(store.write_cell, fetched(clicks=9), RUN, 1)
        until_somebody_waits(database)
        taking = pool.submit(store.claim_run, RUN, 2)
        until_somebody_waits(database, 2)
        other.rollback()
        assert writing.result(30).updated == 3
        assert taking.result(30) == Claimed(previous_launch=1)
    with pytest.raises(Superseded):
        store.write_cell(fetched(clicks=1), RUN, 1)
    assert {row.clicks for row in store.rows(CELL)} == {9}


def until_somebody_waits(database: Database, how_many: int = 1) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gsc-sync' AND wait_event_type = 'Lock'"
        ) == [(how_many,)]:
            return
        time.sleep(0.01)
    pytest.fail("nobody waited")
