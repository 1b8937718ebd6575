"""Faults 59-74: a Postgres that restarts, loses connections, is full, refuses, or is another one than expected.

Real faults of a real server where one can be had; where a SQLSTATE cannot be had at will (a serialization failure), a
trigger raises it and the test says so. Rows are compared with the data set after each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contract import ExitCode, FailureClass, RunSpec, State
from devcluster.errors import DevclusterError
from emulator import Account, Config, Property, run_emulator
from sync.clock import Clock
from sync.store import migrate
from sync.store.connect import Connections
from sync.store.port import Store
from sync.store.postgres import PostgresStore
from tests.integration.faults.conftest import Beginning
from tests.integration.faults.pooler import install, pooler
from tests.integration.faults.server import LOCKED, How, Server, own_server, small_disk
from tests.integration.faults.world import (
    ACME,
    BLOG,
    DAYS,
    GLOBEX,
    NEXT_DAY,
    NOW,
    Ended,
    World,
    eventually,
    limits,
    meanwhile,
    named,
    of,
)
from tests.integration.store.wire import Wire
from tests.postgres import Database, fresh_database

EVERYTHING = of(ACME, BLOG, GLOBEX)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server() as running:
        yield running


@pytest.fixture
def apart(server: Server, beginning: Beginning, tmp_path: Path) -> Iterator[World]:
    """A world on a server of its own, a day after a clean run."""
    with fresh_database(server.uri, tmp_path) as database:
        world = World(beginning.emulator, database, tmp_path)
        world.at(NOW)
        assert world.run().exit_code == ExitCode.SUCCESS
        world.at(NEXT_DAY)
        beginning.emulator.clear_requests()
        yield world
        beginning.emulator.faults([])


def pausing(pause: Callable[[float], None]) -> Callable[[RunSpec, Clock], Store]:
    """The real store, with what happens in its pauses."""
    return lambda spec, clock: PostgresStore(
        spec.destination, pool_size=spec.limits.concurrency, clock=clock.now, sleep=pause
    )


def at_row(number: int, what: str) -> str:
    """SQL that does something when so many rows have been inserted from now on; the count outlives rollbacks."""
    return f"""
        CREATE SEQUENCE public.turn;
        CREATE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE turn bigint := nextval('public.turn');
        BEGIN
            IF turn = {number} THEN {what} END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER act BEFORE INSERT ON gsc.page_query FOR EACH ROW EXECUTE FUNCTION public.act();
    """


def succeeded(ended: Ended) -> None:
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.summary


def waits_for(uri: str, event: str) -> bool:
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gsc-sync' AND wait_event = %s",
            [event],
        ).fetchone()
    return row is not None and row[0] > 0


# Restarts and lost connections


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("fast", id="fault_59 restart (57P01)"),
        pytest.param("immediate", id="fault_59 crash (57P02)"),
        pytest.param("kill", id="fault_59 kill -9"),
    ],
)
def test_a_restart_in_the_middle_of_a_transaction(apart: World, server: Server, how: How) -> None:
    """The program stands between two rows of a cell, held by a lock, when the server goes."""
    apart.database.execute(at_row(30, "PERFORM pg_advisory_lock(77); PERFORM pg_advisory_unlock(77);"))
    holder = psycopg.connect(apart.database.uri, autocommit=True)
    holder.execute("SELECT pg_advisory_lock(77)")

    def restart() -> None:
        eventually(lambda: waits_for(apart.database.uri, "advisory"))
        server.restart(how)

    with meanwhile(restart):
        ended = apart.run(store=pausing(lambda _: eventually(server.accepts)))
    holder.close()
    succeeded(ended)
    assert apart.wrong() == {}


def test_fault_60_the_backend_dies_in_the_middle_of_copy(world: World) -> None:
    world.database.execute(at_row(30, "PERFORM pg_terminate_backend(pg_backend_pid());"))
    succeeded(world.run())
    assert world.database.execute("SELECT last_value > 30 FROM public.turn") == [(True,)]
    assert world.wrong() == {}


CUTS = (3, 9, 14, 17, 22, 28, 35, 47)


@pytest.mark.parametrize(
    ("cut", "number"),
    [
        *(pytest.param(Wire.cut_before, n, id=f"fault_60 before message {n}") for n in CUTS),
        *(pytest.param(Wire.cut_after, n, id=f"fault_61 the answer to message {n} is lost") for n in CUTS),
    ],
)
def test_the_wire_is_cut(world: World, cut: Callable[[Wire, int], None], number: int) -> None:
    """Once in a run, also in mid-COPY and after COMMIT was sent."""
    port = world.database.secret / "port"
    with Wire(int(port.read_text())) as wire:
        port.write_text(str(wire.port))
        cut(wire, number)
        ended = world.run(
            limits=limits(concurrency=1, cells_per_property=1),
            workspaces=[world.workspace("acme", properties=named(ACME))],
        )
        assert wire.cuts == 1
    succeeded(ended)
    assert world.wrong(behind=of(BLOG, GLOBEX)) == {}


def test_fault_61_a_lost_answer_to_finishing_the_run_is_found_out(world: World) -> None:
    """The last transaction of all: the run is closed, and nobody heard so."""
    port = world.database.secret / "port"
    fields: dict[str, Any] = {
        "limits": limits(concurrency=1, cells_per_property=1),
        "workspaces": [world.workspace("globex")],
    }
    with Wire(int(port.read_text())) as wire:
        port.write_text(str(wire.port))
        wire.count()
        world.run(**fields)
        last = wire.messages - 1
        world.at(NEXT_DAY + timedelta(minutes=5))
        wire.count()
        world.run(**fields)
        last = wire.messages - 1
        world.at(NEXT_DAY + timedelta(minutes=10))
        wire.cut_after(last)
        succeeded(world.run(**fields))
    assert set(world.database.execute("SELECT state FROM gsc.run")) == {("complete",)}


# Conflicts


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("40001", id="fault_62 serialization failure"),
        pytest.param("40P01", id="fault_62 deadlock, simulated"),
        pytest.param("55P03", id="fault_62 lock timeout"),
        pytest.param("57014", id="fault_67 statement timeout"),
    ],
)
def test_a_conflict_is_over_after_a_repetition(world: World, state: str) -> None:
    """Simulated: a trigger raises the SQLSTATE, three times."""
    world.database.execute(
        at_row(5, "").replace(
            "turn = 5 THEN", f"turn IN (5, 6, 40) THEN RAISE EXCEPTION USING ERRCODE = '{state}';"
        )
    )
    succeeded(world.run())
    assert world.database.execute("SELECT last_value > 40 FROM public.turn") == [(True,)]
    assert world.wrong() == {}


def test_fault_62_a_conflict_that_never_ends_is_for_the_next_launch(world: World) -> None:
    world.database.execute(
        at_row(0, "").replace("turn = 0 THEN", "true THEN RAISE EXCEPTION USING ERRCODE = '40P01';")
    )
    ended = world.run(limits=limits(concurrency=1, cells_per_property=1))
    assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
    assert ended.summary.error_class is FailureClass.DATABASE_UNAVAILABLE
    assert world.database.execute("SELECT last_value FROM public.turn") == [(6,)], "five repetitions, no more"
    assert world.wrong(behind=EVERYTHING) == {}
    world.database.execute("DROP TRIGGER act ON gsc.page_query")
    world.heal()


def test_fault_62_a_real_deadlock(world: World) -> None:
    """Two sessions take two locks crosswise; Postgres ends the program's."""
    world.database.execute(at_row(20, "PERFORM pg_advisory_xact_lock(2); PERFORM pg_advisory_xact_lock(1);"))
    with psycopg.connect(world.database.uri) as other:
        other.execute("SET deadlock_timeout = '1min'")
        other.execute("SELECT pg_advisory_xact_lock(1)")

        def cross() -> None:
            eventually(lambda: waits_for(world.database.uri, "advisory"))
            other.execute("SELECT pg_advisory_xact_lock(2)")
            other.rollback()

        with meanwhile(cross):
            ended = world.run()
    succeeded(ended)
    eventually(
        lambda: (
            world.database.execute(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
            == [(1,)]
        )
    )
    assert world.wrong() == {}


def test_fault_67_no_transaction_is_open_while_google_is_waited_for(world: World) -> None:
    """Postgres ends whoever idles in a transaction for a tenth of a second; Google takes three."""
    world.database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 100', current_database()); END $$"
    )
    world.emulator.set_latency(300)
    pauses: list[float] = []
    succeeded(world.run(workspaces=[world.workspace("globex")], store=pausing(pauses.append)))
    assert pauses == [], "no session was ended, so nothing was repeated"
    assert world.wrong(behind=of(ACME, BLOG)) == {}


def test_fault_67_a_server_that_ends_idle_sessions_costs_new_ones_only(world: World) -> None:
    """As managed databases do: what lay idle for a tenth of a second is gone when it is wanted again."""
    world.database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_session_timeout = 100', current_database()); END $$"
    )
    world.emulator.set_latency(150)
    pauses: list[float] = []
    succeeded(world.run(workspaces=[world.workspace("globex")], store=pausing(pauses.append)))
    assert pauses, "a session was lost"
    assert world.wrong(behind=of(ACME, BLOG)) == {}


# Full, crowded, read-only


def test_fault_63_a_full_disk_stops_the_launch_and_room_heals_it(server: Server, tmp_path: Path) -> None:
    config = Config(
        seed=31,
        properties=(Property(url=ACME, rows={"web": 4000}),),
        accounts=(Account(name="acme", properties={ACME: "siteOwner"}),),
    )
    try:
        room = small_disk(server, 48)
        disk = room.__enter__()
    except OSError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    try:
        with (
            run_emulator(config, now=NOW, keys=tmp_path / "keys") as emulator,
            fresh_database(server.uri, tmp_path) as database,
        ):
            name = (database.secret / "dbname").read_text()
            with psycopg.connect(server.uri, autocommit=True) as admin:
                admin.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
                admin.execute(f'ALTER DATABASE "{name}" SET TABLESPACE small')
            try:
                world = World(emulator, database, tmp_path)
                world.at(NOW)
                succeeded(world.run(search_types=["web"]))
                world.at(NEXT_DAY)
                filler = disk / "filler"
                fill(filler)
                spec = world.spec(search_types=["web"])
                ended = world.run(spec)
                assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
                assert ended.summary.error_class is FailureClass.DATABASE_UNAVAILABLE
                assert "disk is full" in ended.summary.message
                assert server.log.count("No space left on device") <= 6, "it does not hammer"
                filler.unlink()
                assert world.wrong(behind=of(ACME)) == {}
                succeeded(world.run(spec.model_copy(update={"launch": 2})))
                assert world.wrong() == {}
            finally:
                with psycopg.connect(server.uri, autocommit=True) as admin:
                    admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
                    admin.execute("DROP TABLESPACE small")
                    admin.execute(f'CREATE DATABASE "{name}"')
    finally:
        room.__exit__(None, None, None)


def fill(filler: Path) -> None:
    """Write until nothing fits any more."""
    with filler.open("wb", buffering=0) as file:
        block = b"\0" * 65536
        while True:
            try:
                if file.write(block) < len(block):
                    return
            except OSError:
                return


def test_fault_64_no_text_is_part_of_an_index_and_long_ones_are_stored_in_full(world: World) -> None:
    """64,000 characters that do not compress: an index row may have 2,704 bytes."""
    day = date(2026, 3, 18)
    pages = [f"https://www.acme.example/{os.urandom(31_980).hex()}" for _ in range(3)]
    rows = [
        {"keys": [page, page[20:], "usa", "MOBILE"], "clicks": 1, "impressions": 2, "position": 1.5}
        for page in pages
    ]
    world.faults(
        {
            "match": {"operation": "query", "property": ACME, "type": "web", "grouped_by": "page", "day": day.isoformat(), "start_row": 0},
            "fault": {"kind": "status", "status": 200, "json_body": {"rows": rows}},
        }
    )  # fmt: skip
    succeeded(world.run())
    stored = world.database.execute(
        "SELECT page, query FROM gsc.v_page_query WHERE property = %s AND day = %s AND length(page) > 60000",
        [ACME, day],
    )
    assert sorted(stored) == sorted((page, page[20:]) for page in pages)
    indexed = world.database.execute(
        """
        SELECT DISTINCT table_.relname, attname FROM pg_index
        JOIN pg_class AS table_ ON table_.oid = indrelid AND relnamespace = 'gsc'::regnamespace
        JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) AND atttypid = 'text'::regtype
        """
    )
    assert not {name for name in indexed if name[0] in {"page", "query", "property"}}
    world.heal()


@pytest.fixture
def crowded(world: World) -> Iterator[tuple[World, str]]:
    """The world by a role that may do everything but have many connections."""
    role = f"crowd_{world.database.uri.rsplit('dbname=', 1)[-1][:8]}"
    world.database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2; GRANT postgres TO {role}")
    (world.database.secret / "user").write_text(role)
    yield world, role
    world.database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_fault_65_two_connections_serve_eight_threads(crowded: tuple[World, str]) -> None:
    world, _ = crowded
    succeeded(world.run(limits=limits(concurrency=8, cells_per_property=4)))
    assert world.wrong() == {}


def test_fault_65_a_crowded_server_is_waited_for_and_no_longer_than_is_sensible(
    crowded: tuple[World, str],
) -> None:
    world, role = crowded
    world.database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    pauses: list[float] = []
    ended = world.run(store=pausing(pauses.append))
    assert (ended.exit_code, ended.summary.error_class) == (
        ExitCode.FAILURE,
        FailureClass.DATABASE_UNAVAILABLE,
    )
    assert "no connection left" in ended.summary.message
    assert len(pauses) == 5
    assert sum(pauses) > 7, "with growing pauses"

    def room(_: float) -> None:
        world.database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 3")

    succeeded(world.run(store=pausing(room)))
    assert world.wrong() == {}


READ_ONLY = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {}', current_database()); END $$"


def test_fault_66_a_server_that_takes_no_writes_is_left_for_its_primary(world: World) -> None:
    """As after a failover: the connections that are open lead to a standby, a new one to the primary."""
    world.database.execute(READ_ONLY.format("on"))

    def primary(_: float) -> None:
        with psycopg.connect(
            world.database.uri, autocommit=True, options="-c default_transaction_read_only=off"
        ) as admin:
            admin.execute(READ_ONLY.format("off"))

    succeeded(world.run(store=pausing(primary)))
    assert world.wrong() == {}


def test_fault_66_a_database_that_stays_read_only_is_for_a_later_launch(world: World) -> None:
    world.database.execute(READ_ONLY.format("on"))
    ended = world.run()
    assert (ended.exit_code, ended.summary.error_class) == (
        ExitCode.FAILURE,
        FailureClass.DATABASE_UNAVAILABLE,
    )
    assert "read-only" in ended.summary.message
    assert world.wrong(behind=EVERYTHING) == {}


# Another database than expected


def test_fault_68_a_month_without_a_partition_is_made(world: World) -> None:
    world.run()
    world.database.execute("DROP TABLE gsc.page_query_2026_04")
    world.at(datetime(2026, 4, 2, 18, tzinfo=UTC))
    succeeded(world.run(window={"days": DAYS, "max_catch_up_days": 1}))
    assert world.wrong() == {}
    assert world.database.execute("SELECT count(*) > 0 FROM gsc.page_query_2026_04") == [(True,)]


def test_fault_69_a_missing_schema_is_made(empty_world: World) -> None:
    succeeded(empty_world.run())
    assert empty_world.wrong() == {}


def test_fault_69_an_old_schema_is_brought_up(world: World) -> None:
    connections = Connections(world.database.destination(), limit=1)
    migrate.downgrade(connections, "gsc")
    connections.close()
    succeeded(world.run())
    world.moments = [NEXT_DAY]
    assert world.wrong() == {}


def test_fault_69_a_newer_schema_is_used_unless_it_says_no(world: World) -> None:
    world.database.execute("UPDATE gsc.schema_version SET version_num = '9999'")
    succeeded(world.run())
    assert world.wrong() == {}
    world.database.execute("UPDATE gsc.meta SET value = '99' WHERE key = 'min_program_version'")
    world.at(NEXT_DAY + timedelta(days=1))
    ended = world.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.CANCELLED, State.CANCELLED)
    assert ended.summary.error_class is FailureClass.DATABASE_REFUSED
    assert "newer image" in ended.summary.message
    world.at(NEXT_DAY)
    assert world.wrong() == {}, "nothing was written"


def test_fault_70_a_wrong_password_is_tried_once_and_a_new_one_heals(apart: World, server: Server) -> None:
    apart.database.execute(f"CREATE ROLE {LOCKED} LOGIN PASSWORD 'right'; GRANT postgres TO {LOCKED}")
    (apart.database.secret / "user").write_text(LOCKED)
    (apart.database.secret / "password").write_text("wr0ng-secret")
    ended = apart.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.FAILURE, State.FAILED)
    assert ended.summary.error_class is FailureClass.DATABASE_REFUSED
    assert "check 'user' and 'password'" in ended.summary.message
    assert "wr0ng-secret" not in ended.logs + ended.out + ended.summary.to_json()
    assert server.log.count("password authentication failed") == 1
    assert apart.asked() == [], "Google is not asked for what cannot be stored"
    (apart.database.secret / "password").write_text("right")
    succeeded(apart.run())
    assert apart.wrong() == {}


def test_fault_70_a_missing_privilege_is_named_and_not_argued_with(world: World) -> None:
    role = f"poor_{world.database.uri.rsplit('dbname=', 1)[-1][:8]}"
    user = world.database.secret / "user"
    before = user.read_text()
    world.database.execute(f"CREATE ROLE {role} LOGIN")
    user.write_text(role)
    try:
        pauses: list[float] = []
        ended = world.run(store=pausing(pauses.append))
    finally:
        world.database.execute(f"DROP ROLE {role}")
        user.write_text(before)
    assert (ended.exit_code, ended.summary.error_class) == (ExitCode.FAILURE, FailureClass.DATABASE_REFUSED)
    assert "ON SCHEMA" in ended.summary.message, "the GRANT itself is told"
    assert pauses == []
    assert world.wrong(behind=EVERYTHING) == {}
    succeeded(world.run())
    assert world.wrong() == {}


def test_fault_71_a_pooler_that_gives_each_transaction_another_session(world: World, postgres: str) -> None:
    try:
        install()
    except DevclusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with pooler(postgres, size=3) as port:
        (world.database.secret / "port").write_text(str(port))
        world.faults({"match": {"operation": "query", "nth": 3, "times": 2}, "fault": {"kind": "html-500"}})
        succeeded(world.run(limits=limits(concurrency=8, cells_per_property=4)))
        assert world.wrong() == {}
        world.heal()
        ended = world.run(command="check")
        assert ended.exit_code == ExitCode.SUCCESS, ended.out


def test_fault_72_a_database_that_cannot_hold_every_text_is_refused_at_once(
    empty_world: World, postgres: str
) -> None:
    name = f"latin_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            before = (empty_world.database.secret / "dbname").read_text()
            (empty_world.database.secret / "dbname").write_text(name)
            ended = empty_world.run()
            (empty_world.database.secret / "dbname").write_text(before)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert (ended.exit_code, ended.summary.state) == (ExitCode.CANCELLED, State.CANCELLED)
    assert "UTF8" in ended.summary.message
    assert empty_world.asked() == []


def test_fault_73_what_did_not_change_costs_a_standby_nearly_nothing(
    database: Database, tmp_path: Path
) -> None:
    """Log written by a full re-read of unchanged days; a standby and an archive get no more than that."""
    config = Config(
        seed=37,
        properties=(Property(url=ACME, rows={"web": 6000}),),
        accounts=(Account(name="acme", properties={ACME: "siteOwner"}),),
    )
    settled = NOW - timedelta(days=5)
    with run_emulator(config, now=NOW, keys=tmp_path / "keys") as emulator:
        world = World(emulator, database, tmp_path)
        world.at(NOW)
        first = world.run(slot=settled, search_types=["web"])
        world.database.execute("UPDATE gsc.ledger SET final = false; CHECKPOINT")
        before = world.database.execute("SELECT pg_current_wal_lsn()")[0][0]
        second = world.run(slot=settled, search_types=["web"])
        [(written,)] = world.database.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", [before])
    assert first.summary.rows_written > 20_000
    assert (second.summary.rows_written, second.summary.rows_deleted) == (0, 0)
    assert second.summary.rows_unchanged == first.summary.rows_written, "every row was read again"
    assert written / first.summary.rows_written <= 5


def test_fault_74_a_row_that_comes_twice_in_one_answer_is_stored_once(world: World) -> None:
    """Within one page and across pages; no statement ever meets a key twice."""
    world.faults(
        {
            "match": {"operation": "query", "property": ACME, "grouped_by": "page"},
            "fault": {"kind": "duplicate-rows", "rows": 20},
        }
    )
    succeeded(world.run())
    assert world.wrong() == {}
    assert world.database.execute("SELECT sum(duplicates) > 0 FROM gsc.ledger") == [(True,)]


def test_fault_74_if_it_came_to_that_it_is_a_bug_and_said_so_once(world: World) -> None:
    """Simulated: a trigger raises the SQLSTATE."""
    world.database.execute(at_row(5, "RAISE EXCEPTION 'twice' USING ERRCODE = '21000';"))
    ended = world.run()
    assert (ended.exit_code, ended.summary.error_class) == (ExitCode.FAILURE, FailureClass.DATABASE_REFUSED)
    assert "21000" in ended.summary.message
    assert world.wrong(behind=EVERYTHING) == {}
    world.heal()
