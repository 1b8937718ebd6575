"""A launch that goes on with a large run, on the real Postgres: what is done already is not fetched, nor held in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from contract import ExitCode
from sync.store.digest import hash_of
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import Database
from tests.unit.sync.fakes import SLOT, TODAY, FakeGoogle, spec, workspace
from tests.unit.sync.test_run import House

SITES = [f"sc-domain:p{number:03}.example" for number in range(60)]
DAYS = 60
TYPES = ("web", "image", "video", "news", "discover", "googleNews")
SETS = ("page-query", "page", "query", "totals")
CELLS = DAYS * len(TYPES) * len(SETS)
MEGABYTE = 1_000_000


@contextmanager
def all_done_but_one_day(database: Database, run: RunKey, launch: int) -> Iterator[PostgresStore]:
    """A run that was cut: of each property, only the newest day of web is left."""
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: SLOT) as store:
        store.migrate()
        store.claim_run(run, launch)
        with psycopg.connect(database.uri) as connection:
            connection.cursor().executemany(
                "INSERT INTO gsc.property (url, hash) VALUES (%s, %s)", [(url, hash_of(url)) for url in SITES]
            )
            connection.execute(
                "INSERT INTO gsc.search_type (code) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
                [list(TYPES)],
            )
            connection.execute(
                "INSERT INTO gsc.ledger (property_id, search_type_id, day, dimension_set, rows, digest, clicks, impressions,"
                " final, saturated, aggregation, pages, duplicates, quarantined, schedule_uid, run_id, fetched_at, changed_at)"
                " SELECT property.id, search_type.id, %s::date - back, name, 1, %s, 1, 10, false, false, 'byPage', 1, 0, 0,"
                " %s, %s, %s, %s FROM gsc.property, gsc.search_type, generate_series(0, %s) AS back, unnest(%s::text[]) AS name"
                " WHERE back > 0 OR code <> 'web' OR name <> 'page-query'",
                [TODAY, b"\0" * 16, run.schedule_uid, run.run_id, SLOT, SLOT, DAYS - 1, list(SETS)],
            )
            connection.execute("ANALYZE gsc.ledger")
        yield store


def test_what_a_run_has_done_is_looked_at_property_by_property(tmp_path: Path, database: Database) -> None:
    order = spec([workspace(tmp_path)], days=DAYS, launch=2)
    google = FakeGoogle(sites=dict.fromkeys(SITES, "siteOwner"))
    with all_done_but_one_day(database, RunKey(order.schedule_uid, order.run_id), 1) as store:
        house = House(order, google, store)  # type: ignore[arg-type]
        tracemalloc.start()
        try:
            ended = house.run()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert ended.exit_code is ExitCode.SUCCESS
    assert {body["startDate"] for body in google.asked()} == {TODAY.isoformat()}, "the rest was done before"
    assert len(google.asked()) == 2 * len(SITES), "a page and the empty one behind it"
    assert ended.summary.cells == len(SITES)
    whole = len(SITES) * CELLS
    assert peak < 20 * MEGABYTE, f"{peak / MEGABYTE:.0f} MB for a run of {whole} cells"
