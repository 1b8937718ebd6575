"""The wire is cut at every message in turn, the server vanishes, connections run out: the rows are right all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from contract import RunSummary, State
from sync.errors import DatabaseUnavailable
from sync.plan.cells import Cell, CellResult, FetchedCell, Row
from sync.store.cell_transaction import CELL_LOCK
from sync.store.port import AlreadyComplete, Claimed, RunKey
from sync.store.postgres import PostgresStore
from tests.integration.store.waiting import until
from tests.integration.store.wire import Wire
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
SITE = "sc-domain:example.com"


def version(day: int, *, clicks: int, first: int = 0, rows: int = 6) -> FetchedCell:
    return FetchedCell(
        Cell(SITE, date(2026, 10, day), "web"),
        [Row(f"/{n}", f"query {n}", "usa", "MOBILE", clicks, 4, 1.25) for n in range(first, first + rows)],
        final=True,
    )


@pytest.fixture
def wire(database: Database) -> Iterator[Wire]:
    with Wire(int((database.secret / "port").read_text())) as wire:
        (database.secret / "port").write_text(str(wire.port))
        yield wire


def open_store(
    database: Database, pool_size: int = 4, sleep: Callable[[float], None] = lambda _: None
) -> PostgresStore:
    return PostgresStore(
        database.destination(), pool_size=pool_size, clock=lambda: NOW, sleep=sleep, jitter=lambda: 1.0
    )


@pytest.fixture
def store(database: Database, wire: Wire) -> Iterator[PostgresStore]:
    with open_store(database) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        yield store


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(Wire.cut_before, id="the question is lost"),
        pytest.param(Wire.cut_after, id="the answer is lost"),
    ],
)
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, version(1, clicks=1), CellResult(inserted=6), id="an empty cell is filled"),
        pytest.param(
            version(1, clicks=1),
            version(1, clicks=2, first=2),
            CellResult(inserted=2, updated=4, deleted=2),
            id="a cell is replaced",
        ),
        pytest.param(
            version(1, clicks=1),
            version(1, clicks=1),
            CellResult(unchanged=6, skipped=True),
            id="nothing changed",
        ),
    ],
)
def test_a_cell_survives_a_cut_at_any_message(
    store: PostgresStore,
    wire: Wire,
    cut: Callable[[Wire, int], None],
    before: FetchedCell | None,
    after: FetchedCell,
    expected: CellResult,
) -> None:
    """Also in the middle of COPY, and when nobody heard whether the commit was done."""

    def on_day(fetched: FetchedCell, day: int) -> FetchedCell:
        return FetchedCell(Cell(SITE, date(2026, 10, day), "web"), fetched.rows, final=True)

    def write(day: int) -> CellResult:
        return store.write_cell(on_day(after, day), RUN, 1)

    # The first day warms the caches, the second counts the messages.
    for day in (1, 2):
        if before is not None:
            store.write_cell(on_day(before, day), RUN, 1)
        wire.count()
        assert write(day) == expected
    messages = wire.messages
    assert messages > 6
    for number in range(messages):
        day = 3 + number
        if before is not None:
            wire.count()
            store.write_cell(on_day(before, day), RUN, 1)
        cut(wire, number)
        assert write(day) == expected, f"cut at message {number} of {messages}"
        assert list(store.rows(Cell(SITE, date(2026, 10, day), "web"))) == after.rows
    assert wire.cuts == messages


def test_a_run_is_claimed_and_finished_whatever_answer_is_lost(store: PostgresStore, wire: Wire) -> None:
    summary = RunSummary(state=State.SUCCEEDED, message="done\0")
    for number in range(6):
        run = RunKey("uid-1", f"run-{number}")
        wire.cut_after(number)
        assert isinstance(store.claim_run(run, 1), Claimed)
        wire.cut_after(number)
        store.finish_run(run, 1, summary, complete=True)
        wire.count()
        told = store.claim_run(run, 2)
        assert isinstance(told, AlreadyComplete)
        assert told.summary.state is State.SUCCEEDED


def test_a_server_that_comes_back_finds_a_store_that_waited(database: Database, wire: Wire) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        wire.down = len(pauses) < 4

    with open_store(database, sleep=wait) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        wire.down = True
        wire.cut_before(0)
        assert store.write_cell(version(1, clicks=1), RUN, 1).inserted == 6
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_server_that_stays_away_is_unavailable(database: Database, wire: Wire) -> None:
    wire.down = True
    pauses: list[float] = []
    with open_store(database, sleep=pauses.append) as store:
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            store.claim_run(RUN, 1)
        assert "cannot be reached" in store.check()[0]
    assert len(pauses) == 5


def test_many_dead_connections_cost_one_try(database: Database, store: PostgresStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda day: store.write_cell(version(day, clicks=1), RUN, 1), range(1, 17)))
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gsc-sync'"
    )
    tries: list[float] = []
    store._retry = type(store._retry)(tries.append, lambda: 0.0, store._forget)
    assert store.write_cell(version(1, clicks=2), RUN, 1).updated == 6
    assert len(tries) == 1


def test_a_failover_that_lost_texts_does_not_mix_them_up(database: Database, store: PostgresStore) -> None:
    """The new primary lacks the last moments: ids known here would belong to other texts there."""
    store.write_cell(version(1, clicks=1), RUN, 1)
    database.execute("TRUNCATE gsc.page, gsc.query, gsc.page_query, gsc.ledger RESTART IDENTITY")
    database.execute("INSERT INTO gsc.page (hash, text) VALUES ('\\x00', '/another')")
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gsc-sync'"
    )
    wanted = version(1, clicks=1)
    store.write_cell(wanted, RUN, 1)
    assert list(store.rows(wanted.cell)) == wanted.rows


def test_a_cell_that_waits_while_another_notices_a_failover_takes_no_number_of_the_old_server(
    database: Database,
) -> None:
    """It looked its property up before; under that number the new primary knows another one."""
    wanted = version(1, clicks=1)
    with open_store(database) as store, psycopg.connect(database.uri) as other, ThreadPoolExecutor(1) as pool:
        store.migrate()
        store.claim_run(RUN, 1)
        store.write_cell(wanted, RUN, 1)
        ((name,),) = database.execute(
            "SELECT format('gsc/%s/%s/%s/%s', property_id, search_type_id, day, dimension_set) FROM gsc.ledger"
        )
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [CELL_LOCK, name])
        writing = pool.submit(store.write_cell, wanted, RUN, 1)
        until(lambda: len(ours(database, "wait_event = 'advisory'")) == 1)
        store.ledger(SITE, wanted.cell.day, wanted.cell.day)  # leaves a connection that waits for work
        database.execute("TRUNCATE gsc.property, gsc.page_query, gsc.ledger RESTART IDENTITY")
        database.execute("INSERT INTO gsc.property (hash, url) VALUES ('\\x00', 'sc-domain:another.example')")
        ((idle,),) = ours(database, "state = 'idle'")
        database.execute("SELECT pg_terminate_backend(%s)", [idle])
        store.ledger(SITE, wanted.cell.day, wanted.cell.day)  # notices, and forgets
        other.rollback()
        assert writing.result(30).inserted == 6
        assert list(store.rows(wanted.cell)) == wanted.rows
    assert database.execute("SELECT DISTINCT property FROM gsc.v_page_query") == [(SITE,)]


def ours(database: Database, condition: str) -> list[tuple[int]]:
    """Connections of the store, by their process."""
    return database.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'gsc-sync'"
        f" AND datname = current_database() AND {condition}"
    )


def test_a_month_that_somebody_dropped_is_made_again(database: Database, store: PostgresStore) -> None:
    store.write_cell(version(1, clicks=1), RUN, 1)
    database.execute("DROP TABLE gsc.page_query_2026_10")
    assert store.write_cell(version(1, clicks=2), RUN, 1) == CellResult(inserted=6)


def test_a_ledger_mended_by_hand_does_no_harm(database: Database, store: PostgresStore) -> None:
    store.write_cell(version(1, clicks=1), RUN, 1)
    database.execute("DELETE FROM gsc.ledger")
    assert store.write_cell(version(1, clicks=1), RUN, 1) == CellResult(unchanged=6)


def test_fewer_connections_than_threads_are_enough(database: Database, store: PostgresStore) -> None:
    """A role that may have two connections, and eight threads that want one each."""
    role = f"small_{database.uri.rsplit('dbname=', 1)[-1][:8]}"
    database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2")
    database.execute(
        f"GRANT USAGE, CREATE ON SCHEMA gsc TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA gsc TO {role}"
    )
    store.write_cell(version(1, clicks=1), RUN, 1)
    (database.secret / "user").write_text(role)
    try:
        with open_store(database, pool_size=8) as small, ThreadPoolExecutor(8) as pool:
            results = pool.map(lambda day: small.write_cell(version(day, clicks=1), RUN, 1), range(2, 29))
            assert {result.inserted for result in results} == {6}
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_full_server_is_waited_for(database: Database, wire: Wire) -> None:
    role = f"none_{database.uri.rsplit('dbname=', 1)[-1][:8]}"
    database.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    with open_store(database) as store:
        store.migrate()
    database.execute(f"ALTER ROLE {role} NOSUPERUSER CONNECTION LIMIT 0")
    database.execute(f"GRANT USAGE ON SCHEMA gsc TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA gsc TO {role}")
    (database.secret / "user").write_text(role)
    pauses: list[float] = []

    def room(seconds: float) -> None:
        pauses.append(seconds)
        database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")

    try:
        with open_store(database, sleep=room) as store:
            assert store.claim_run(RUN, 1) == Claimed()
        assert pauses == [0.5]
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_server_without_tls_is_refused_unless_allowed(database: Database, tmp_path: Path) -> None:
    (database.secret / "sslmode").unlink()
    with open_store(database) as store:
        assert "TLS with the database failed" in store.check()[0]


def test_a_killed_backend_in_the_middle_of_copy(database: Database, store: PostgresStore) -> None:
    """A trigger kills the first backend that has come half way; the cell is done again as a whole."""
    store.write_cell(version(1, clicks=1), RUN, 1)
    database.execute(
        """
        CREATE SEQUENCE public.count;
        CREATE FUNCTION public.kill() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('public.count') = 20 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER kill BEFORE INSERT ON gsc.page_query FOR EACH ROW EXECUTE FUNCTION public.kill();
        """
    )
    assert store.write_cell(version(2, clicks=1, rows=50), RUN, 1) == CellResult(inserted=50)
    assert database.execute("SELECT nextval('public.count') > 60") == [(True,)], "the trigger had its turn"
    assert len(store.rows(Cell(SITE, date(2026, 10, 2), "web"))) == 50


def test_nothing_is_left_of_a_session_that_a_pooler_would_mind(
    database: Database, store: PostgresStore
) -> None:
    store.write_cell(version(1, clicks=1), RUN, 1)
    store.write_cell(version(1, clicks=2), RUN, 1)
    with store._connections.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert connection.execute(
            "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
        ).fetchone() == (0,)
        assert connection.execute("SHOW enable_nestloop").fetchone() == ("on",)
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (
            0,
        )
    with psycopg.connect(database.uri) as other:
        assert other.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall() == [("gsc-sync",)]
