"""How fast cells reach Postgres: `python -m benchmarks.store_load [--threads 4] [--cells 28] [--rows 10000]`.

Three passes over the same cells: first load, the same again (digest skip), and a tenth of the rows changed. The
server is the tests' own, on this machine, with the durability settings of production (`--fast` turns them off), so it
shares the processors with the program.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from sync.plan.cells import Cell, FetchedCell, Row
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import fresh_database, postgres_server

RUN = RunKey("benchmark", "1")


def cells(count: int, rows: int) -> list[FetchedCell]:
    """Four properties with their days; a day repeats four fifths of the texts of the day before."""
    made = []
    for number in range(count):
        site, day = number % 4, number // 4
        seed = random.Random(number)
        first = day * rows // 5
        made.append(
            FetchedCell(
                Cell(f"sc-domain:site{site}.example", date(2026, 11, 1) + timedelta(days=day), "web"),
                [
                    Row(
                        f"https://site{site}.example/section/{(first + n) % 1999}/article.html",
                        f"how to do thing number {first + n} at site {site}",
                        ("usa", "deu", "fra", "gbr")[n % 4],
                        ("DESKTOP", "MOBILE")[n % 2],
                        seed.randrange(9),
                        seed.randrange(10, 900),
                        seed.random() * 50 + 1,
                    )
                    for n in range(rows)
                ],
                final=False,
            )
        )
    return made


def restated(fetched: FetchedCell) -> FetchedCell:
    rows = [
        row._replace(impressions=row.impressions + 1) if n % 10 == 0 else row
        for n, row in enumerate(fetched.rows)
    ]
    return FetchedCell(fetched.cell, rows, final=True)


@click.command(help=__doc__)
@click.option("--threads", default=4, show_default=True)
@click.option("--cells", "count", default=28, show_default=True)
@click.option("--rows", default=10_000, show_default=True, help="in each cell")
@click.option("--fast", is_flag=True, help="fsync off")
def main(threads: int, count: int, rows: int, *, fast: bool) -> None:
    settings = () if fast else ("fsync=on", "full_page_writes=on")
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server(*settings) as server,
        fresh_database(server, Path(folder)) as database,
        PostgresStore(database.destination(), pool_size=threads, clock=lambda: datetime.now(UTC)) as store,
        ThreadPoolExecutor(threads) as pool,
    ):
        store.migrate()
        store.claim_run(RUN, 1)
        first = cells(count, rows)
        changed = [restated(each) for each in first]

        def measured(name: str, work: Callable[[], object]) -> None:
            before = database.execute("SELECT pg_current_wal_lsn()")[0][0]
            start = time.perf_counter()
            work()
            took = time.perf_counter() - start
            wal = database.execute("SELECT pg_current_wal_lsn() - %s::pg_lsn", [before])[0][0]
            print(
                f"{name:12} {count * rows / took:10,.0f} rows/s  {took:6.2f} s  {int(wal) / count / rows:7.1f} B of log a row"
            )

        for name, versions in (("first load", first), ("identical", first), ("10 % changed", changed)):
            measured(
                name,
                lambda versions=versions: list(
                    pool.map(lambda each: store.write_cell(each, RUN, 1), versions)
                ),
            )


if __name__ == "__main__":
    main()
