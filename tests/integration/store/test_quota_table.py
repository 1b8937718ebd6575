"""What a table of budgets promises, held against both adapters, and what only the real Postgres can show."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.errors import DatabaseUnavailable
from sync.quota.bucket import HEADROOM, LEASE_SECONDS, Ask, Grant
from sync.quota.memory import MemoryQuotaTable
from sync.quota.names import MAX_NAME, BucketName, Scope, bucket
from sync.quota.port import QuotaTable
from sync.quota.rest import Refused, Spent
from sync.store.connect import Connections
from sync.store.postgres import PostgresStore
from sync.store.quota import PostgresQuotaTable
from tests.postgres import Database

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
NAME = BucketName(Scope.IDENTITY, "robot@p.iam.gserviceaccount.com")
SITE = BucketName(Scope.PROPERTY, "sc-domain:example.com")


class Bench:
    """A table and its time: in Postgres time is moved by moving what the rows remember."""

    def __init__(self, table: QuotaTable, advance: Callable[[float], None]) -> None:
        self.table, self.advance = table, advance

    def ask(self, holder: str = "a", name: BucketName = NAME, **fields: Any) -> Grant:
        known = {"ceiling": 20.0 / HEADROOM, "wants": 40.0}
        return self.table.renew([Ask(name, holder, **{**known, **fields})])[name]


@pytest.fixture
def schema(database: Database) -> Database:
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW) as store:
        store.migrate()
    return database


@pytest.fixture(params=["memory", "postgres"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        moment = [NOW]

        def move(seconds: float) -> None:
            moment[0] += timedelta(seconds=seconds)

        yield Bench(MemoryQuotaTable(lambda: moment[0]), move)
        return
    database: Database = request.getfixturevalue("schema")
    table = PostgresQuotaTable(database.destination())
    yield Bench(table, lambda seconds: shift(database, -seconds))
    table.close()


def shift(database: Database, seconds: float) -> None:
    """Everything that is remembered happened so much later."""
    database.execute(
        "UPDATE gsc.quota SET changed_at = changed_at + s, paused_until = paused_until + s, rest_until = rest_until + s,"
        " touched_at = touched_at + s, leases = (SELECT coalesce(jsonb_agg(jsonb_set(each, '{until}',"
        " to_jsonb((each ->> 'until')::float8 + %s))), '[]') FROM jsonb_array_elements(leases) AS each),"
        " last_minute = ARRAY(SELECT CASE WHEN at %% 2 = 1 THEN last_minute[at] + %s ELSE last_minute[at] END"
        " FROM generate_subscripts(last_minute, 1) AS at)"
        " FROM make_interval(secs => %s) AS s",
        [seconds, int(seconds / 5), seconds],
    )


def test_one_job_alone_has_it_all(bench: Bench) -> None:
    grant = bench.ask()
    assert grant.share == pytest.approx(20)
    assert grant.fresh
    assert (grant.seconds, grant.rest, grant.learned) == (LEASE_SECONDS, None, None)


def test_jobs_share_and_never_hold_more_than_there_is(bench: Bench) -> None:
    assert bench.ask("a").share == pytest.approx(20)
    assert bench.ask("b").share == 0, "a holds all until it renews"
    assert bench.ask("a").share == pytest.approx(10)
    assert bench.ask("b").share == pytest.approx(10)
    for holder in ("c", "a", "b"):
        bench.ask(holder)
    shares = [bench.ask(holder).share for holder in ("c", "a", "b")]
    assert shares == pytest.approx([20 / 3] * 3)


def test_the_lease_of_a_job_that_died_runs_out(bench: Bench) -> None:
    bench.ask("dead")
    assert bench.ask("b").share == 0
    bench.advance(LEASE_SECONDS + 0.1)
    assert bench.ask("b").share == pytest.approx(20)


def test_a_lease_given_back_is_free_at_once(bench: Bench) -> None:
    bench.ask("a")
    bench.ask("a", leave=True, wants=0.0)
    assert bench.ask("b").share == pytest.approx(20)


def test_what_one_learnt_the_others_know(bench: Bench) -> None:
    bench.ask("a")
    bench.ask("a", wants=20.0, refused=1, refused_of_epoch=True)
    heard = bench.ask("b")
    assert heard.learned == pytest.approx(14)
    assert 0 < heard.pause <= 1
    assert heard.epoch == 1


def test_a_rest_is_everybodys_and_survives_its_job(bench: Bench) -> None:
    bench.ask("a", SITE, rest=Refused(Spent.LOAD, 900))
    bench.ask("a", SITE, leave=True)
    heard = bench.ask("b", SITE)
    assert heard.rest is not None
    assert heard.rest.spent is Spent.LOAD
    assert 895 < heard.rest_seconds <= 900
    assert bench.ask("b").rest is None, "the identity may go on with other properties"
    bench.advance(901)
    assert bench.ask("b", SITE).rest is None
    again = bench.ask("b", SITE, rest=Refused(Spent.LOAD, 900))
    assert again.rest is not None
    assert again.rest.spent is Spent.DAILY_LOAD, "refused again right after the cool-down"


def test_names_of_every_kind_are_kept_apart(bench: Bench) -> None:
    names = ["x" * 3000 + end for end in ("a", "b")] + [
        "nul\0",
        "nul?",
        "\ud800",
        "'; DROP TABLE gsc.quota; --",
    ]
    buckets = [bucket(Scope.PROPERTY, name) for name in names]
    assert len(set(buckets)) == len(names)
    assert all(len(each.name) <= MAX_NAME for each in buckets)
    grants = bench.table.renew([Ask(each, "a", 5.0, 5.0) for each in buckets])
    assert [grants[each].share for each in buckets] == pytest.approx([5 * HEADROOM] * len(names))


def test_budgets_nobody_uses_are_forgotten_but_not_what_they_learnt(bench: Bench) -> None:
    bench.ask("a", SITE)
    bench.ask("a", wants=2.0, accepted=4, refused=1, refused_of_epoch=True)  # far below its ceiling
    bench.ask("a", BucketName(Scope.PROPERTY, "rests"), rest=Refused(Spent.LOAD, 20_000))
    assert bench.table.prune() == 0
    bench.advance(3700)
    assert bench.table.prune() == 1, "the property that learnt nothing"
    assert bench.ask("b").learned is not None
    bench.advance(8 * 86400)
    assert bench.table.prune() == 2
    assert bench.ask("c").learned is None, "made anew"


NAMES = [BucketName(Scope.PROPERTY, f"sc-domain:{number}.example") for number in range(12)]


def hammer(database: Database, worker: int) -> int:
    """Renews as fast as it can, in an order of its own; what it uses appears and is deleted under everybody's hands."""
    # Longer than the server takes to find a deadlock, which would be an error here.
    table = PostgresQuotaTable(database.destination(), lock_milliseconds=30_000)
    renewed = 0
    for turn in range(50):
        mine = NAMES[worker:] + NAMES[:worker]
        asks = [Ask(name, f"job {worker}", 20.0, 5.0, accepted=1) for name in mine[: 3 + turn % 9]]
        renewed += len(table.renew(asks))
        if turn % 10 == worker:
            database.execute("DELETE FROM gsc.quota WHERE name = %s", [NAMES[worker].name])
    table.close()
    return renewed


@pytest.mark.needs_postgres
def test_eight_processes_that_hammer_never_wait_crosswise(schema: Database) -> None:
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        renewed = sum(pool.map(hammer, [schema] * 8, range(8)))
    assert renewed == 8 * sum(3 + turn % 9 for turn in range(50))
    found = schema.execute(
        "SELECT count(*), max(pg_column_size(leases)), max(jsonb_array_length(leases)) FROM gsc.quota"
    )
    rows, size, leases = found[0]
    assert (rows, leases) == (12, 8)
    assert size < 2000


@pytest.mark.needs_postgres
def test_a_row_that_somebody_holds_fails_the_renewal_soon(schema: Database) -> None:
    table = PostgresQuotaTable(schema.destination())
    table.renew([Ask(NAME, "a", 20.0, 20.0)])
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        connections = Connections(schema.destination(), limit=1)
        with connections.transaction() as connection:
            connection.execute("SELECT 1 FROM gsc.quota FOR UPDATE")
            locked.set()
            release.wait(30)
        connections.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        table.renew([Ask(NAME, "a", 20.0, 20.0)])
    assert time.monotonic() - started < 5
    release.set()
    holder.join()
    assert table.renew([Ask(NAME, "a", 20.0, 20.0)])[NAME].share == pytest.approx(19)
    table.close()


@pytest.mark.needs_postgres
def test_the_view_tells_a_person_what_goes_on(schema: Database) -> None:
    table = PostgresQuotaTable(schema.destination())
    for holder in ("a", "b", "a"):
        table.renew([Ask(NAME, holder, 20.0, 40.0, accepted=3)])
    table.renew([Ask(SITE, "a", 5.0, 5.0, rest=Refused(Spent.DAILY, 1))])
    rows = schema.execute(
        "SELECT scope, name, jobs, round(per_second), last_minute, asked, rests_for, rests_until > now() FROM gsc.v_quota ORDER BY 1"
    )
    assert rows == [
        ("identity", NAME.name, 2, 10, 9, 9, None, None),
        ("property", SITE.name, 1, 5, 0, 0, "daily", True),
    ]
    shift(schema, -100)
    assert schema.execute("SELECT sum(jobs), sum(last_minute) FROM gsc.v_quota") == [(0, 0)]
    table.close()
