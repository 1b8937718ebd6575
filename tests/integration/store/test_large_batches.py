"""More values than a statement of Postgres takes parameters: the protocol counts them in 16 bits, so 65,535 at most."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psycopg
import pytest

from sync.plan.cells import Cell, CellResult, FetchedCell, Row
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import Database

LIMIT = 65_535
MORE = LIMIT + 5
RUN = RunKey("uid-1", "29000000")
CELL = Cell("sc-domain:example.com", date(2026, 11, 3), "web")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


def version(clicks: int) -> FetchedCell:
    """Each row has a page and a query of its own, so there are more texts than parameters, too."""
    rows = [Row(f"/{n}", f"query {n}", "usa", "MOBILE", clicks + n % 2, 10, 1.5) for n in range(MORE)]
    return FetchedCell(CELL, rows, final=True)


def test_the_limit_is_real(database: Database) -> None:
    """What a batch of rows as parameters runs into: 13,108 rows of five columns."""
    rows = ", ".join(["(%s, %s, %s, %s, %s)"] * (LIMIT // 5 + 1))
    with psycopg.connect(database.uri) as connection, pytest.raises(psycopg.OperationalError, match="65535"):
        connection.execute(f"VALUES {rows}", list(range(5 * (LIMIT // 5 + 1))))


def test_a_cell_may_have_more_rows_and_texts_than_a_statement_has_parameters(database: Database) -> None:
    with PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW) as store:
        store.migrate()
        store.claim_run(RUN, 1)
        assert store.write_cell(version(1), RUN, 1) == CellResult(inserted=MORE)
        assert store.write_cell(version(1), RUN, 1).skipped
        assert store.write_cell(version(2), RUN, 1) == CellResult(updated=MORE)
    assert database.execute(
        "SELECT count(*), count(DISTINCT page), min(clicks), max(clicks) FROM gsc.v_page_query"
    ) == [(MORE, MORE, 2, 3)]
