"""Budgets behind PgBouncer in transaction mode: each renewal may find another session of Postgres, and none of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from contract import Destination
from devcluster.errors import DevclusterError
from sync.quota.bucket import HEADROOM, LEASE_SECONDS, Ask, Grant
from sync.quota.names import BucketName, Scope
from sync.quota.rest import Refused, Spent
from sync.store.postgres import PostgresStore
from sync.store.quota import PostgresQuotaTable
from tests.integration.faults.pooler import install, pooler
from tests.postgres import Database

pytestmark = pytest.mark.needs_postgres

NAME = BucketName(Scope.IDENTITY, "robot@p.iam.gserviceaccount.com")
SITE = BucketName(Scope.PROPERTY, "sc-domain:example.com")
JOBS = 6
RENEWALS = 25


@pytest.fixture
def pooled(database: Database, postgres: str) -> Iterator[Destination]:
    """Two sessions of the server for all Jobs; the schema was made without the pooler."""
    try:
        install()
    except DevclusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: datetime.now(UTC)) as store:
        store.migrate()
    with pooler(postgres, size=2) as port:
        (database.secret / "port").write_text(str(port))
        yield database.destination()


def ask(table: PostgresQuotaTable, holder: str, name: BucketName = NAME, **fields: object) -> Grant:
    known = {"ceiling": 20.0 / HEADROOM, "wants": 40.0}
    return table.renew([Ask(name, holder, **{**known, **fields})])[name]  # type: ignore[arg-type]


def test_more_jobs_than_sessions_share_a_budget_through_a_pooler(
    pooled: Destination, database: Database
) -> None:
    def job(number: int) -> list[float]:
        table = PostgresQuotaTable(pooled, lock_milliseconds=30_000)
        try:
            return [ask(table, f"job {number}", accepted=1).share for _ in range(RENEWALS)]
        finally:
            table.close()

    with ThreadPoolExecutor(JOBS) as pool:
        shares = list(pool.map(job, range(JOBS)))
    assert all(0 <= share <= 20 + 1e-6 for each in shares for share in each)
    assert database.execute("SELECT asked FROM gsc.quota") == [(JOBS * RENEWALS,)], "no renewal was lost"
    table = PostgresQuotaTable(pooled)
    for number in range(JOBS):
        ask(table, f"job {number}")
    assert [ask(table, f"job {number}").share for number in range(JOBS)] == pytest.approx([20 / JOBS] * JOBS)
    ask(table, "job 0", leave=True, wants=0.0)
    assert database.execute("SELECT jobs FROM gsc.v_quota") == [(JOBS - 1,)]
    table.close()


def test_a_lesson_and_a_rest_reach_the_next_job_through_a_pooler(pooled: Destination) -> None:
    one, two = PostgresQuotaTable(pooled), PostgresQuotaTable(pooled)
    ask(one, "one", wants=20.0)
    ask(one, "one", wants=20.0, refused=1, refused_of_epoch=True)
    ask(one, "one", SITE, rest=Refused(Spent.LOAD, 900))
    one.close()
    heard, rests = ask(two, "two"), ask(two, "two", SITE)
    assert (heard.epoch, heard.learned) == (1, pytest.approx(14, rel=0.01))
    assert heard.seconds == LEASE_SECONDS
    assert rests.rest is not None
    assert rests.rest.spent is Spent.LOAD
    assert 880 < rests.rest_seconds <= 900
    two.close()


def test_time_limits_of_a_renewal_stay_in_its_transaction(pooled: Destination, database: Database) -> None:
    """The sessions are everybody's: what one renewal sets must not meet another client's statement."""
    table = PostgresQuotaTable(pooled)
    for _ in range(5):
        ask(table, "one")
    table.close()
    port = int((database.secret / "port").read_text())
    for _ in range(4):
        with psycopg.connect(database.uri, port=port, autocommit=True, prepare_threshold=None) as client:
            found = client.execute(
                "SELECT current_setting('statement_timeout'), current_setting('synchronous_commit')"
            )
            assert found.fetchone() == ("0", "on")
