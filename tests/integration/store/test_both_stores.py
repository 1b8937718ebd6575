"""What a store promises, held against both adapters: the real Postgres and the one in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import RunSummary, State
from sync.errors import Superseded
from sync.plan.cells import Cell, CellResult, FetchedCell, Row
from sync.plan.totals import Totals
from sync.store.digest import storable
from sync.store.memory import MemoryStore
from sync.store.port import AlreadyComplete, Claimed, RunKey, Store
from sync.store.postgres import PostgresStore
from tests.integration.store.done import done_by
from tests.postgres import Database

RUN = RunKey("uid-1", "29000000")
NEXT = RunKey("uid-1", "29001440")
CELL = Cell("sc-domain:example.com", date(2026, 11, 3), "web")
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


def row(
    page: str = "/a",
    query: str = "q",
    clicks: int = 1,
    impressions: int = 10,
    position: float | None = 1.5,
    country: str = "usa",
    device: str = "MOBILE",
) -> Row:
    return Row(page, query, country, device, clicks, impressions, position)


def cell(*rows: Row, cell: Cell = CELL, final: bool = True, quarantined: tuple[str, ...] = ()) -> FetchedCell:
    return FetchedCell(
        cell, list(rows), final, aggregation="byPage", pages=1, requests=2, quarantined=quarantined
    )


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    database: Database = request.getfixturevalue("database")
    with PostgresStore(database.destination(), pool_size=4, clock=lambda: NOW, sleep=lambda _: None) as real:
        real.migrate()
        yield real


def claimed(store: Store, run: RunKey = RUN, launch: int = 1) -> RunKey:
    assert isinstance(store.claim_run(run, launch), Claimed)
    return run


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    rows = [row("/a"), row("/b", position=None), row("/a", "", country="zzz"), row("/a", device="")]
    result = store.write_cell(cell(*rows), claimed(store), 1)
    assert result == CellResult(inserted=4)
    assert list(store.rows(CELL)) == sorted(rows, key=lambda r: r[:4])


def test_the_same_cell_again_touches_only_the_ledger(store: Store) -> None:
    store.write_cell(cell(row(), row("/b")), claimed(store), 1)
    result = store.write_cell(cell(row("/b"), row()), claimed(store, NEXT), 1)
    assert result == CellResult(unchanged=2, skipped=True)
    assert [entry.run_id for entry in store.ledger(CELL.property, CELL.day, CELL.day)] == [NEXT.run_id]


def test_a_restated_cell_is_replaced_as_a_set(store: Store) -> None:
    store.write_cell(cell(row("/stays"), row("/changes"), row("/vanishes")), claimed(store), 1)
    result = store.write_cell(
        cell(row("/stays"), row("/changes", clicks=7), row("/appears")), claimed(store, NEXT), 1
    )
    assert result == CellResult(inserted=1, updated=1, deleted=1, unchanged=1)
    assert [(r.page, r.clicks) for r in store.rows(CELL)] == [("/appears", 1), ("/changes", 7), ("/stays", 1)]


def test_a_position_that_appears_or_goes_is_a_change(store: Store) -> None:
    store.write_cell(cell(row(position=None)), claimed(store), 1)
    assert store.write_cell(cell(row(position=2.0)), RUN, 1).updated == 1
    assert store.write_cell(cell(row(position=None)), RUN, 1).updated == 1


@pytest.mark.parametrize(
    ("texts"),
    [
        pytest.param(["a\0b", "a\u2400b"], id="NUL and the sign that shows it"),
        pytest.param(["a\ud800b", "a\ufffdb", "a\udfffb"], id="lone surrogates and the sign that shows them"),
        pytest.param(["/A", "/a", "/a/", "/%c3%a4", "/%C3%A4", "/ä"], id="look-alikes"),
        pytest.param(["e\u0301", "\u00e9"], id="two ways to write one letter"),
        pytest.param(["x" * 64_000, "x" * 64_001], id="very long"),
        pytest.param(["'; DROP TABLE gsc.page; --", "\t\n\\.", "<b>", "\u202e"], id="hostile"),
    ],
)
def test_texts_that_look_alike_stay_distinct(store: Store, texts: list[str]) -> None:
    store.write_cell(cell(*(row(query=text) for text in texts)), claimed(store), 1)
    assert len(store.rows(CELL)) == len(texts)
    assert store.write_cell(cell(*(row(query=text) for text in texts)), RUN, 1).skipped


def test_one_empty_answer_never_deletes_a_day(store: Store) -> None:
    store.write_cell(cell(row()), claimed(store), 1)
    assert store.write_cell(cell(), claimed(store, NEXT), 1).kept_because_empty
    assert store.write_cell(cell(), NEXT, 1).kept_because_empty, "the same run hears itself again"
    assert len(store.rows(CELL)) == 1
    (entry,) = store.ledger(CELL.property, CELL.day, CELL.day)
    assert (entry.empty_answers, entry.rows) == (1, 1)


def test_a_second_empty_answer_heard_by_another_run_is_believed(store: Store) -> None:
    store.write_cell(cell(row()), claimed(store), 1)
    store.write_cell(cell(), claimed(store, NEXT), 1)
    third = claimed(store, RunKey("uid-1", "29002880"))
    assert store.write_cell(cell(), third, 1) == CellResult(deleted=1)
    assert list(store.rows(CELL)) == []


def test_emptiness_is_never_believed_while_the_totals_show_rows(store: Store) -> None:
    store.write_cell(cell(row()), claimed(store), 1)
    doubtful = replace(cell(), totals=Totals(3, 40))
    for run_id in ("2", "3", "4"):
        assert store.write_cell(doubtful, claimed(store, RunKey("uid-1", run_id)), 1).kept_because_empty
    assert (
        store.write_cell(replace(cell(), totals=Totals()), claimed(store, RunKey("uid-1", "5")), 1).deleted
        == 1
    )


def test_a_day_that_never_had_rows_is_done(store: Store) -> None:
    assert store.write_cell(cell(), claimed(store), 1) == CellResult()
    assert store.write_cell(cell(), claimed(store, NEXT), 1) == CellResult(skipped=True)
    (entry,) = store.ledger(CELL.property, CELL.day, CELL.day)
    assert (entry.rows, entry.empty_answers, entry.final) == (0, 0, True)
    assert store.write_cell(cell(row()), NEXT, 1) == CellResult(inserted=1)


def test_rows_between_two_empty_answers_start_the_count_anew(store: Store) -> None:
    store.write_cell(cell(row()), claimed(store), 1)
    store.write_cell(cell(), claimed(store, NEXT), 1)
    store.write_cell(cell(row()), claimed(store, RunKey("uid-1", "3")), 1)
    assert store.write_cell(cell(), claimed(store, RunKey("uid-1", "4")), 1).kept_because_empty


def test_a_higher_launch_takes_the_run_over(store: Store) -> None:
    claimed(store, RUN, 1)
    assert store.claim_run(RUN, 2) == Claimed(previous_launch=1)
    with pytest.raises(Superseded):
        store.write_cell(cell(row()), RUN, 1)
    with pytest.raises(Superseded):
        store.claim_run(RUN, 1)
    with pytest.raises(Superseded):
        store.finish_run(RUN, 1, RunSummary(state=State.SUCCEEDED), complete=True)
    assert list(store.rows(CELL)) == []
    assert store.write_cell(cell(row()), RUN, 2).inserted == 1


def test_d4_a_complete_run_only_repeats_its_summary(store: Store) -> None:
    claimed(store)
    summary = RunSummary(
        state=State.PARTIALLY_SUCCEEDED, run_id=RUN.run_id, rows_written=5, message="two of three"
    )
    store.finish_run(RUN, 1, summary, complete=True)
    assert store.claim_run(RUN, 2) == AlreadyComplete(summary)
    with pytest.raises(Superseded):
        store.write_cell(cell(row()), RUN, 1)


def test_a_failed_run_is_done_again_without_its_finished_cells(store: Store) -> None:
    store.write_cell(cell(row()), claimed(store), 1)
    store.finish_run(RUN, 1, RunSummary(state=State.FAILED), complete=False)
    assert store.claim_run(RUN, 2) == Claimed(previous_launch=1)
    assert done_by(store, RUN, CELL.property) == {CELL}
    assert done_by(store, NEXT, CELL.property) == set()


def test_the_ledger_remembers_how_a_cell_was_split(store: Store) -> None:
    claimed(store)
    for parts, allowed in ((0, 60), (4, 60), (4, 20)):
        store.write_cell(replace(cell(row()), parts=parts, split_requests=allowed), RUN, 1)
        (entry,) = store.ledger(CELL.property, CELL.day, CELL.day)
        assert (entry.parts, entry.split_requests) == (parts, allowed)


def test_two_launches_at_once_only_the_higher_one_commits(store: Store) -> None:
    """Both write the same cells with other contents, the second takes over in the middle."""
    claimed(store, RUN, 1)
    cells = [Cell(CELL.property, date(2026, 11, day), "web") for day in range(1, 21)]
    taken_over = threading.Event()

    def low() -> int:
        written = 0
        try:
            for number, each in enumerate(cells):
                if number == 10:
                    taken_over.wait(30)
                store.write_cell(cell(row("/low", clicks=1), cell=each), RUN, 1)
                written += 1
        except Superseded:
            return written
        pytest.fail("the lower launch was never stopped")

    def high() -> None:
        store.claim_run(RUN, 2)
        taken_over.set()
        for each in cells:
            store.write_cell(cell(row("/high", clicks=2), cell=each), RUN, 2)

    with ThreadPoolExecutor(2) as pool:
        lower, higher = pool.submit(low), pool.submit(high)
        higher.result(60)
        assert lower.result(60) <= 10
    for each in cells:
        assert [(r.page, r.clicks) for r in store.rows(each)] == [("/high", 2)]


def test_many_writers_of_many_cells_do_not_disturb_each_other(store: Store) -> None:
    claimed(store)
    cells = [
        Cell(f"https://site{site}.example/", date(2026, 10 + site % 2, 1 + day), "web")
        for site in range(4)
        for day in range(5)
    ]

    def write(each: Cell) -> CellResult:
        return store.write_cell(cell(*(row(f"/{n}", f"query {n % 7}") for n in range(50)), cell=each), RUN, 1)

    with ThreadPoolExecutor(6) as pool:
        assert {result.inserted for result in pool.map(write, cells)} == {50}
    assert done_by(store, RUN, *{each.property for each in cells}) == set(cells)


def test_codes_nobody_knows_are_kept_and_told_apart(store: Store) -> None:
    odd = ["usa", "USA", "xkx", "u\0a", "u\u2400a", "z" * 5_000, "z" * 5_001]
    store.write_cell(cell(*(row(country=code, device=code) for code in odd)), claimed(store), 1)
    assert len({(r.country, r.device) for r in store.rows(CELL)}) == len(odd)


def test_an_answer_of_which_nothing_makes_sense_deletes_nothing(store: Store) -> None:
    """Rows came, so the day is not empty, however often they come like this."""
    store.write_cell(cell(row()), claimed(store), 1)
    for number in range(3):
        result = store.write_cell(
            cell(quarantined=('{"keys":[]}',), final=False), claimed(store, RunKey("uid-1", f"m-{number}")), 1
        )
        assert result.kept_because_empty
    assert len(store.rows(CELL)) == 1
    assert store.write_cell(cell(), claimed(store, RunKey("uid-1", "m-3")), 1).kept_because_empty


def test_a_cell_that_another_schedule_wrote_since_is_not_done(store: Store) -> None:
    other = RunKey("uid-2", RUN.run_id)
    store.write_cell(cell(row()), claimed(store), 1)
    store.write_cell(cell(row()), claimed(store, other), 1)
    assert [done_by(store, run, CELL.property) for run in (RUN, other)] == [set(), {CELL}]


def test_the_ledger_tells_days_of_one_property_in_order(store: Store) -> None:
    claimed(store)
    cells = [
        Cell(site, date(2026, 11, day), kind)
        for site in (CELL.property, "sc-domain:example.org")
        for day in (3, 1, 2)
        for kind in ("web", "image")
    ]
    for each in cells:
        store.write_cell(cell(row(), cell=each, final=each.day.day < 3), RUN, 1)
    found = store.ledger(CELL.property, date(2026, 11, 2), date(2026, 11, 3))
    assert [(e.cell.day.day, e.cell.search_type, e.final, e.rows) for e in found] == [
        (2, "image", True, 1), (2, "web", True, 1), (3, "image", False, 1), (3, "web", False, 1)
    ]  # fmt: skip
    assert list(store.ledger("sc-domain:unknown", date(2026, 11, 2), date(2026, 11, 3))) == []


def test_finishing_twice_is_harmless(store: Store) -> None:
    claimed(store)
    first = RunSummary(state=State.SUCCEEDED, message="first")
    store.finish_run(RUN, 1, first, complete=True)
    store.finish_run(RUN, 1, RunSummary(state=State.FAILED, message="second"), complete=True)
    assert store.claim_run(RUN, 1) == AlreadyComplete(first)


def test_an_unclaimed_run_may_not_write(store: Store) -> None:
    with pytest.raises(Superseded):
        store.write_cell(cell(row()), RUN, 1)
    with pytest.raises(Superseded):
        store.finish_run(RUN, 1, RunSummary(state=State.SUCCEEDED), complete=True)


def test_many_writers_of_one_cell_leave_one_of_its_versions(store: Store) -> None:
    """Eight runs of as many schedules, the same property, different contents, shared texts."""

    def write(number: int) -> None:
        run = claimed(store, RunKey(f"uid-{number}", "1"))
        for _ in range(3):
            store.write_cell(cell(*(row(f"/{n}", clicks=number) for n in range(number, number + 30))), run, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    stored = store.rows(CELL)
    number = stored[0].clicks
    assert {(r.page, r.clicks) for r in stored} == {(f"/{n}", number) for n in range(number, number + 30)}


texts = st.text(st.characters(exclude_categories=[]), max_size=5)
version = st.dictionaries(
    st.tuples(texts, texts, st.sampled_from(["usa", "deu"]), st.sampled_from(["MOBILE", ""])),
    st.tuples(st.integers(0, 3), st.integers(0, 2**31 - 1), st.none() | st.floats(1, 100)),
    min_size=1,
    max_size=6,
).map(lambda made: [Row(*key, *metrics) for key, metrics in made.items()])


def shown(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """The rows as they look when stored; two may look alike, so their numbers order them, too."""
    return sorted(
        ((storable(r.page), storable(r.query), *r[2:]) for r in rows), key=lambda r: (*r[:6], r[6] or 0)
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(version, min_size=1, max_size=4))
def test_any_sequence_of_versions_ends_as_the_last_one(store: Store, versions: list[list[Row]]) -> None:
    """In both directions: nothing missing, nothing left over, every number exact."""
    claimed(store)
    for each in versions:
        before = len(store.rows(CELL))
        result = store.write_cell(cell(*each), RUN, 1)
        assert result.inserted + result.updated + result.unchanged == len(each)
        assert before + result.inserted - result.deleted == len(each)
        assert shown(store.rows(CELL)) == shown(each)
    assert store.write_cell(cell(*versions[-1]), RUN, 1).skipped


def test_shards_hold_a_run_side_by_side_and_each_is_closed_alone(store: Store) -> None:
    first, second = RunKey("uid-1", "29000000", 0, 2), RunKey("uid-1", "29000000", 1, 2)
    claimed(store, first)
    claimed(store, second)
    store.finish_run(first, 1, RunSummary(state=State.SUCCEEDED), complete=True)
    assert isinstance(store.claim_run(first, 2), AlreadyComplete)
    assert store.claim_run(second, 2) == Claimed(1)


def test_a_run_divided_anew_leaves_nothing_to_those_who_shared_it_before(store: Store) -> None:
    before = [claimed(store, RunKey("uid-1", "29000000", shard, 4)) for shard in range(4)]
    store.write_cell(cell(row()), before[3], 1)
    store.finish_run(before[0], 1, RunSummary(state=State.SUCCEEDED), complete=True)
    whole = RunKey("uid-1", "29000000")
    assert store.claim_run(whole, 2) == Claimed(0), "what a quarter completed is not the whole"
    with pytest.raises(Superseded):
        store.write_cell(cell(row(clicks=2)), before[3], 1)
    assert done_by(store, whole, CELL.property) == {CELL}, "cells count, whoever did them"
