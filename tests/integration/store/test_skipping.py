"""What the ledger keeps for the next probe, and cells that are skipped: both adapters, Postgres and memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sync.errors import Superseded
from sync.plan.cells import Cell, FetchedCell, Row
from sync.plan.totals import Totals
from sync.store.memory import MemoryStore
from sync.store.port import LedgerEntry, RunKey, Store
from sync.store.postgres import PostgresStore
from tests.integration.store.done import done_by
from tests.postgres import Database

RUN, NEXT, THIRD = RunKey("uid-1", "29000000"), RunKey("uid-1", "29001440"), RunKey("uid-2", "29001440")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
SITE = "sc-domain:example.com"
CELLS = [Cell(SITE, date(2026, 11, day), kind) for day in (3, 4) for kind in ("web", "image")]
SUMS = Totals(7, 90.5)


class Time:
    """A clock that stands until it is set."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, time: Time) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore(time)
        return
    database: Database = request.getfixturevalue("database")
    with PostgresStore(database.destination(), pool_size=4, clock=time, sleep=lambda _: None) as real:
        real.migrate()
        yield real


def fetched(cell: Cell, *pages: str, totals: Totals | None = SUMS) -> FetchedCell:
    rows = [Row(page, "q", "usa", "MOBILE", 1, 10, 1.5) for page in pages]
    return FetchedCell(cell, rows, True, totals=totals)


def entries(store: Store) -> dict[Cell, LedgerEntry]:
    found = store.ledger(CELLS[0].property, date(2026, 11, 1), date(2026, 11, 30))
    return {entry.cell: entry for entry in found}


def filled(store: Store) -> Store:
    for run in (RUN, NEXT, THIRD):
        store.claim_run(run, 1)
    for cell in CELLS:
        store.write_cell(fetched(cell, "/a", "/b"), RUN, 1)
    return store


def test_the_ledger_keeps_the_totals_and_when_the_cell_was_fetched(store: Store, time: Time) -> None:
    filled(store)
    assert {(entry.totals, entry.fetched_at) for entry in entries(store).values()} == {(SUMS, NOW)}
    time.now = NOW + timedelta(hours=1)
    store.write_cell(fetched(CELLS[0], "/a", "/b", totals=Totals(8, 91)), NEXT, 1)
    entry = entries(store)[CELLS[0]]
    assert (entry.totals, entry.fetched_at) == (Totals(8, 91), time.now), "equal rows, new totals"
    store.write_cell(fetched(CELLS[0], "/a", totals=None), NEXT, 1)
    assert entries(store)[CELLS[0]].totals is None, "an answer with doubts forgets them"


def test_an_empty_answer_that_is_not_believed_forgets_the_totals(store: Store) -> None:
    filled(store)
    assert store.write_cell(fetched(CELLS[0]), NEXT, 1).kept_because_empty
    entry = entries(store)[CELLS[0]]
    assert (entry.totals, entry.rows, entry.empty_answers) == (None, 2, 1)


def test_a_skipped_cell_is_done_by_the_run_and_otherwise_as_it_was(store: Store, time: Time) -> None:
    before = entries(filled(store))
    rows = {cell: list(store.rows(cell)) for cell in CELLS}
    time.now = NOW + timedelta(hours=3)
    store.skip_cells(CELLS[:3], NEXT, 1)
    assert done_by(store, NEXT, SITE) == set(CELLS[:3])
    assert done_by(store, RUN, SITE) == set(CELLS[3:])
    assert entries(store) == {
        cell: replace(entry, run_id=NEXT.run_id if cell in CELLS[:3] else RUN.run_id)
        for cell, entry in before.items()
    }
    assert {cell: list(store.rows(cell)) for cell in CELLS} == rows
    store.skip_cells(CELLS[:3], NEXT, 1)
    assert done_by(store, NEXT, SITE) == set(CELLS[:3]), "safe to repeat"


def test_nothing_to_skip_is_nothing_to_do(store: Store) -> None:
    filled(store)
    store.skip_cells([], NEXT, 1)
    assert done_by(store, NEXT, SITE) == set()


def test_a_cell_that_the_ledger_does_not_know_is_not_invented(store: Store) -> None:
    filled(store)
    stranger = Cell(CELLS[0].property, date(2026, 11, 9), "web")
    store.skip_cells([stranger, CELLS[0]], NEXT, 1)
    assert done_by(store, NEXT, SITE) == set(CELLS[:1])
    assert stranger not in entries(store)


def test_a_launch_that_was_superseded_skips_nothing(store: Store) -> None:
    filled(store)
    store.claim_run(NEXT, 2)
    with pytest.raises(Superseded):
        store.skip_cells(CELLS, NEXT, 1)
    assert done_by(store, RUN, SITE) == set(CELLS)


def test_runs_that_skip_and_write_the_same_cells_at_once_do_not_stand_in_each_others_way(
    store: Store,
) -> None:
    filled(store)

    def work(number: int) -> None:
        run = (NEXT, THIRD)[number % 2]
        if number % 3:
            store.skip_cells(CELLS if number % 4 else CELLS[::-1], run, 1)
        else:
            store.write_cell(fetched(CELLS[number % 4], "/a", f"/{number}"), run, 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(40)))
    assert done_by(store, NEXT, SITE) | done_by(store, THIRD, SITE) == set(CELLS)
    assert all(len(store.rows(cell)) == 2 for cell in CELLS)
