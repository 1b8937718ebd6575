"""How the tables grow: `python -m benchmarks.sync.storage [--millions 50] [--out FILE]`.

Cells of 20,000 rows go through the store as the sync's do (dictionaries, partitions, COPY, ledger), day after day for a
number of properties, into a Postgres with its default settings. Told are the rate of inserting in slices, bytes by kind,
what vacuum and a further index cost, and how long the queries of docs/storage.md take. Fetching is not part of it.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psycopg

from benchmarks.sync.machine import machine
from benchmarks.sync.report import table
from sync.plan.cells import Cell, FetchedCell, Row
from sync.store.port import RunKey
from sync.store.postgres import PostgresStore
from tests.postgres import Database, fresh_database, postgres_server

RUN = RunKey("storage", "1")
LAST_DAY = date(2026, 10, 31)
DAYS = 92
"""Three whole months."""
FIRST_DAY = LAST_DAY - timedelta(days=DAYS - 1)
CELL_ROWS = 20_000
KEYS_A_PROPERTY = 25_000
SLICES = 10
BYTES_A_ROW = 150
"""For the check of the disk: generous."""
QUERIES = Path(__file__).parents[2] / "docs" / "queries"
COUNTRIES = ("usa", "deu", "fra", "gbr", "ind", "jpn", "bra", "can")
DEVICES = ("MOBILE", "DESKTOP", "TABLET")


def keys_of(site: int) -> list[tuple[str, str, str, str]]:
    """What a property's days are drawn from: 1,000 pages and 5,000 queries, the popular ones in many rows."""
    rng = random.Random(site)
    found: dict[tuple[str, str, str, str], None] = {}
    while len(found) < KEYS_A_PROPERTY:
        page, query = int(1000 * rng.random() ** 2), int(5000 * rng.random() ** 1.5)
        key = (
            f"https://www.site{site}.example/section-{page % 20}/an-article-about-something-{page}",
            f"how to do thing number {query} at site {site}",
            COUNTRIES[int(8 * rng.random() ** 2)],
            DEVICES[int(3 * rng.random() ** 1.5)],
        )
        found[key] = None
    return list(found)


def cells(total: int) -> Iterator[FetchedCell]:
    """Day after day, each property once a day, as a daily sync writes them."""
    sites = max(1, round(total / DAYS / CELL_ROWS))
    keys = [keys_of(site) for site in range(sites)]
    rng = random.Random(1)
    for back in range(DAYS - 1, -1, -1):
        day = LAST_DAY - timedelta(days=back)
        for site in range(sites):
            yield _cell(site, day, rng.sample(keys[site], CELL_ROWS), rng)


def _cell(site: int, day: date, keys: list[tuple[str, str, str, str]], rng: random.Random) -> FetchedCell:
    numbers = rng.randbytes(2 * len(keys))
    rows = [
        Row(*key, clicks, clicks + impressions, 1 + impressions / 7)
        for key, clicks, impressions in zip(keys, numbers[::2], numbers[1::2], strict=True)
    ]
    digest = hashlib.blake2b(numbers, digest_size=16).digest()
    return FetchedCell(Cell(f"sc-domain:site{site}.example", day, "web"), rows, final=True, digest=digest)


def changed(fetched: FetchedCell) -> FetchedCell:
    """Every tenth row with other numbers."""
    rows: list[Any] = list(fetched.rows)
    rows[::10] = [row._replace(impressions=row.impressions + 1) for row in rows[::10]]
    return FetchedCell(fetched.cell, rows, final=True, digest=b"changed" + fetched.digest)


def load(store: PostgresStore, total: int) -> tuple[list[float], int, FetchedCell]:
    """Rows a second in each of ten slices, how many rows there are, and the cell that was written last."""
    rates: list[float] = []
    written, spent, last = 0, 0.0, None
    slice_rows = total // SLICES
    for last in cells(total):
        began = time.perf_counter()
        store.write_cell(last, RUN, 1)
        spent += time.perf_counter() - began
        written += CELL_ROWS
        if written >= slice_rows * (len(rates) + 1) and len(rates) < SLICES:
            rates.append(round(slice_rows / spent))
            say(f"{written:,} rows, the last {slice_rows:,} at {rates[-1]:,.0f} rows/s")
            spent = 0.0
    assert last is not None
    return rates, written, last


def sizes(database: Database, rows: int) -> dict[str, float]:
    def total(measure: str, tables: str) -> float:
        [(found,)] = database.execute(
            f"SELECT coalesce(sum({measure}(oid)), 0) FROM pg_class"  # noqa: S608
            f" WHERE relnamespace = 'gsc'::regnamespace AND relkind = 'r' AND relname ~ '{tables}'"
        )
        return float(found)

    facts, texts = "^page_query_", "^(page|query|property|country|device)$"
    return {
        "heap_bytes_per_row": round(total("pg_relation_size", facts) / rows, 1),
        "index_bytes_per_row": round(total("pg_indexes_size", facts) / rows, 1),
        "dictionary_bytes_per_row": round(total("pg_total_relation_size", texts) / rows, 1),
        "gigabytes": round(total("pg_total_relation_size", f"{facts}|{texts}") / 1e9, 2),
    }


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def queries(database: Database) -> dict[str, dict[str, float]]:
    """Each query of the documentation, three times: the first one reads from disk what is not cached."""
    found = {}
    for file in sorted(QUERIES.glob("*.sql")):
        text = file.read_text().replace("sc-domain:acme.com", "sc-domain:site0.example")
        text = text.replace("current_date", f"date '{LAST_DAY}'")
        spent = [timed(lambda text=text: database.execute(text)) for _ in range(3)]
        found[file.stem] = {"first_s": spent[0], "again_s": min(spent[1:])}
        say(f"{file.stem}: {spent[0]} s, again {found[file.stem]['again_s']} s")
    return found


def page_history(database: Database) -> float:
    [(page,)] = database.execute("SELECT id FROM gsc.page WHERE text LIKE '%site0.example/%-500' LIMIT 1")
    text = (
        "SELECT day, sum(clicks) FROM gsc.page_query WHERE page_id = %s AND property_id ="
        " (SELECT id FROM gsc.property WHERE url = 'sc-domain:site0.example') GROUP BY day ORDER BY day"
    )
    return min(timed(lambda: database.execute(text, [page])) for _ in range(2))


def settled_index(database: Database) -> dict[str, float]:
    """The index that docs/storage.md recommends for months that no longer change."""
    month = f"page_query_{FIRST_DAY:%Y_%m}"
    before = page_history(database)
    took = timed(lambda: database.execute(f"CREATE INDEX settled ON gsc.{month} (property_id, page_id, day)"))
    [(size, rows)] = database.execute(
        f"SELECT pg_relation_size('gsc.settled'), (SELECT count(*) FROM gsc.{month})"  # noqa: S608
    )
    return {
        "build_s": took,
        "bytes_per_row": round(size / rows, 1),
        "page_history_without_s": before,
        "page_history_with_one_of_three_months_s": page_history(database),
    }


def measure(store: PostgresStore, database: Database, total: int) -> dict[str, Any]:
    rates, rows, last = load(store, total)
    ends = statistics.median(rates[:2]), statistics.median(rates[-2:])
    found: dict[str, Any] = {
        "rows": rows,
        "insert_rows_per_s": rates,
        "end_by_start": round(ends[1] / ends[0], 2),
        **sizes(database, rows),
    }
    say(f"{found['gigabytes']} GB; the end at {found['end_by_start']} of the start")
    found["change_tenth_rows_per_s"] = round(
        CELL_ROWS / timed(lambda: store.write_cell(changed(last), RUN, 1))
    )
    found["vacuum_analyze_s"] = timed(lambda: database.execute("VACUUM (ANALYZE)"))
    found["vacuum_again_s"] = timed(lambda: database.execute("VACUUM (ANALYZE)"))
    found["queries"] = queries(database)
    found["settled_index"] = settled_index(database)
    month = f"gsc.page_query_{FIRST_DAY:%Y_%m}"
    found["dump_rows_per_s"] = round(dump(database, month))
    found["drop_month_s"] = timed(lambda: store.drop_before(FIRST_DAY.replace(day=28) + timedelta(days=5)))
    return found


def dump(database: Database, month: str) -> float:
    """Rows a second of one reading process, as pg_dump reads them."""
    rows, began = 0, time.perf_counter()
    with (
        psycopg.connect(database.uri) as connection,
        connection.cursor().copy(f"COPY {month} TO STDOUT") as copy,
    ):
        for block in copy:
            rows += bytes(block).count(b"\n")
    return rows / (time.perf_counter() - began)


def say(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)


@click.command(help=__doc__)
@click.option("--millions", default=50.0, show_default=True, help="Of rows.")
@click.option("--key", is_flag=True, help="With a primary key over all columns of a row, for comparison.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to keep the figures.")
def main(millions: float, *, key: bool, out: Path | None) -> None:
    total = round(millions * 1e6)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < 2 * total * BYTES_A_ROW:
        raise click.ClickException(
            f"{free / 1e9:.0f} GB are free; {2 * total * BYTES_A_ROW / 1e9:.0f} are needed."
        )
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server("fsync=on", "full_page_writes=on") as server,
        fresh_database(server, Path(folder)) as database,
        PostgresStore(database.destination(), pool_size=2, clock=lambda: datetime.now(UTC)) as store,
    ):
        store.migrate()
        store.claim_run(RUN, 1)
        if key:
            database.execute(
                "DROP INDEX gsc.page_query_cell; ALTER TABLE gsc.page_query ADD PRIMARY KEY"
                " (property_id, search_type_id, day, page_id, query_id, country_id, device_id)"
            )
        found = measure(store, database, total)
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "machine": machine(),
        "key_over_all_columns": key,
        **found,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n")
    shown = [[name, value] for name, value in found.items() if not isinstance(value, dict | list)]
    click.echo(table(shown, ("what", "measured")))
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
