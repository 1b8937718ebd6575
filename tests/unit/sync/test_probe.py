"""Which cells a probe spares: the decision as a table, and what a run of it asks of Google."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from contract import ExitCode, RunSpec, State
from sync.clock import ManualClock
from sync.plan.cells import Cell, FetchedCell, Row
from sync.plan.probe import Because, Fetch, Skip, decide, remembered, split_budget
from sync.plan.totals import Totals
from tests.unit.sync.fakes import SLOT, TODAY, FakeGoogle, days_of, row, spec, workspace
from tests.unit.sync.test_run import DOMAIN, House

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
"""05:00 on 15 June in California."""
FRESH_FROM = date(2026, 6, 13)
SETTLED, FRESH = date(2026, 6, 12), date(2026, 6, 13)
SAME, OTHER = Totals(5, 70), Totals(5, 71)


@dataclass(frozen=True)
class Entry:
    """The ledger's word on a cell that was read a minute ago, settled, with ten rows."""

    rows: int = 10
    final: bool = True
    totals: Totals | None = SAME
    fetched_at: datetime | None = NOW - timedelta(minutes=1)
    saturated: bool = False
    parts: int = 0
    split_requests: int = 0


@pytest.mark.parametrize(
    ("day", "known", "totals", "decision"),
    [
        pytest.param(SETTLED, None, SAME, Fetch(Because.NEW), id="never seen"),
        pytest.param(SETTLED, None, Totals(), Fetch(Because.NEW), id="never seen, and nothing there"),
        pytest.param(SETTLED, Entry(), SAME, Skip(Because.SETTLED), id="settled"),
        pytest.param(SETTLED, Entry(), OTHER, Fetch(Because.TOTALS_DIFFER), id="settled, and moved all the same"),
        pytest.param(SETTLED, Entry(), Totals(6, 70), Fetch(Because.TOTALS_DIFFER), id="only clicks moved"),
        pytest.param(SETTLED, Entry(), Totals(), Fetch(Because.TOTALS_DIFFER), id="the probe shows nothing any more"),
        pytest.param(
            SETTLED, Entry(fetched_at=NOW - timedelta(days=300)), SAME, Skip(Because.SETTLED), id="settled long ago"
        ),
        pytest.param(SETTLED, Entry(final=False), SAME, Fetch(Because.BECAME_FINAL), id="became final"),
        pytest.param(FRESH, Entry(final=False), SAME, Skip(Because.UNCHANGED), id="fresh, read a minute ago"),
        pytest.param(FRESH, Entry(final=False), OTHER, Fetch(Because.TOTALS_DIFFER), id="fresh, moved"),
        pytest.param(
            FRESH,
            Entry(final=False, fetched_at=NOW - timedelta(hours=5, minutes=1)),
            SAME,
            Fetch(Because.DAILY),
            id="fresh, read before midnight in California",
        ),
        pytest.param(
            FRESH,
            Entry(final=False, fetched_at=NOW - timedelta(hours=5)),
            SAME,
            Skip(Because.UNCHANGED),
            id="fresh, read at midnight in California",
        ),
        pytest.param(
            FRESH, Entry(final=False, fetched_at=NOW + timedelta(hours=2)), SAME, Skip(Because.UNCHANGED),
            id="fresh, read by a clock that goes ahead",
        ),
        pytest.param(FRESH, Entry(), SAME, Skip(Because.UNCHANGED), id="final before, fresh again"),
        pytest.param(
            FRESH, Entry(fetched_at=NOW - timedelta(days=1)), SAME, Fetch(Because.DAILY), id="fresh again since a day"
        ),
        pytest.param(SETTLED, Entry(totals=None), SAME, Fetch(Because.DOUBTED), id="settled, but doubted"),
        pytest.param(FRESH, Entry(final=False, totals=None), SAME, Fetch(Because.DOUBTED), id="fresh and doubted"),
        pytest.param(SETTLED, Entry(fetched_at=None), SAME, Fetch(Because.DOUBTED), id="nobody knows when"),
        pytest.param(SETTLED, Entry(rows=0, totals=Totals()), Totals(), Skip(Because.SETTLED), id="settled, empty"),
        pytest.param(
            SETTLED, Entry(rows=0), SAME, Skip(Because.UNCHANGED), id="no rows against the totals, read today"
        ),
        pytest.param(
            SETTLED,
            Entry(rows=0, fetched_at=NOW - timedelta(days=1)),
            SAME,
            Fetch(Because.DAILY),
            id="no rows against the totals, a day ago",
        ),
    ],
)  # fmt: skip
def test_a_cell_is_fetched_or_skipped_for_a_reason(day, known, totals, decision):
    assert decide(Cell("sc-domain:a", day, "web"), known, totals, FRESH_FROM, NOW) == decision


CUT, CUT_FURTHER = Entry(saturated=True), Entry(saturated=True, parts=4, split_requests=20)
WHOLE = Entry(parts=8, split_requests=20)


@pytest.mark.parametrize(
    ("known", "allowed", "decision", "budget"),
    [
        pytest.param(CUT, 0, Skip(Because.SETTLED), 0, id="cut, and nothing may be spent"),
        pytest.param(CUT, 1, Fetch(Because.SPLIT_FURTHER), 1, id="cut, and something may be spent now"),
        pytest.param(CUT_FURTHER, 20, Skip(Because.SETTLED), 20, id="as much as may be spent was spent"),
        pytest.param(CUT_FURTHER, 21, Fetch(Because.SPLIT_FURTHER), 21, id="more may be spent now"),
        pytest.param(CUT_FURTHER, 0, Skip(Because.SETTLED), 20, id="cut further by another order"),
        pytest.param(WHOLE, 60, Skip(Because.SETTLED), 60, id="nothing is cut any more"),
        pytest.param(WHOLE, 0, Skip(Because.SETTLED), 20, id="made whole by another order"),
        pytest.param(Entry(split_requests=20), 0, Skip(Because.SETTLED), 0, id="another order might split, and need not"),
        pytest.param(None, 60, Fetch(Because.NEW), 60, id="never seen"),
    ],
)  # fmt: skip
def test_splitting_is_taken_further_once_and_never_undone(known, allowed, decision, budget):
    assert decide(Cell("sc-domain:a", SETTLED, "web"), known, SAME, FRESH_FROM, NOW, allowed) == decision
    assert split_budget(known, allowed) == budget


def test_24_hours_are_enough_even_on_a_day_of_25():
    """The day on which the clocks go back lasts 25 hours: without the rule a cell could be older than a day."""
    midnight = datetime(2026, 11, 1, 7, tzinfo=UTC)
    cell, known = Cell("sc-domain:a", date(2026, 11, 1), "web"), Entry(final=False, fetched_at=midnight)
    late = midnight + timedelta(hours=24, minutes=30)
    assert decide(cell, known, SAME, date(2026, 10, 30), late) == Fetch(Because.DAILY)


def fetched(rows: int = 1, **fields: object) -> FetchedCell:
    made = [Row(f"/{number}", "", "usa", "MOBILE", 1, 1, 1.0) for number in range(rows)]
    return FetchedCell(Cell("sc-domain:a", SETTLED, "web"), made, True, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "totals"),
    [
        pytest.param(fetched(), SAME, id="whole"),
        pytest.param(fetched(0), SAME, id="empty"),
        pytest.param(fetched(quarantined=("{}",)), None, id="quarantined rows"),
        pytest.param(fetched(consistent=False), None, id="pages that do not fit together"),
        pytest.param(fetched(25_000), None, id="a full page and nothing behind it"),
        pytest.param(fetched(25_001), SAME, id="a full page and a row"),
        pytest.param(fetched(50_000, saturated=True), SAME, id="at the cap"),
    ],
)
def test_totals_are_remembered_only_beside_an_answer_without_doubts(answer, totals):
    assert remembered(answer, SAME) == totals


def order(tmp_path, **fields) -> RunSpec:
    return spec([workspace(tmp_path)], **{"days": 14, **fields})


def next_run(house: House, **fields) -> House:
    minutes = str(29690640 + int(house.clock.monotonic()) // 60)
    changed = house.order.model_copy(update={"run_id": minutes, **fields})
    return House(changed, house.google, house.store, house.clock)


ALL_TYPES = ["web", "image", "video", "news", "discover", "googleNews"]


@pytest.mark.parametrize(
    ("types", "most"), [pytest.param(ALL_TYPES, 7, id="six types"), pytest.param(["web"], 2, id="web only")]
)
def test_a_property_where_nothing_changed_costs_a_probe_for_each_type(tmp_path, types, most):
    google = FakeGoogle(
        rows=lambda _property, day, kind: [row(f"https://a.example/{day}", *_keys(kind))],
        first_incomplete=TODAY,
    )
    house = House(order(tmp_path, search_types=types), google)
    assert house.run().exit_code is ExitCode.SUCCESS
    house.clock.advance(600)
    again = next_run(house)
    ended = again.run()
    assert ended.exit_code is ExitCode.SUCCESS
    assert ended.summary.requests <= most, "sites.list, and a probe for each type"
    assert (ended.summary.cells, ended.summary.cells_skipped) == (0, 14 * len(types))
    assert ended.summary.newest_final_day == TODAY - timedelta(days=1), "known without reading it again"
    assert "skipped" not in ended.summary.message


def _keys(kind: str) -> tuple[str, ...]:
    return {"discover": ("usa",), "googleNews": ("usa", "MOBILE")}.get(kind, ("shoes", "usa", "MOBILE"))


def test_only_the_days_whose_totals_moved_are_fetched(tmp_path):
    house = House(order(tmp_path), FakeGoogle(first_incomplete=TODAY))
    house.run()
    house.clock.advance(600)
    moved = TODAY - timedelta(days=9)
    plain = house.google.rows
    house.google.rows = lambda *asked: [
        *plain(*asked),
        *([row("/new", "", "usa", "TABLET")] if asked[1] == moved else []),
    ]
    house.google.requests.clear()
    ended = next_run(house).run()
    assert set(days_of(house.google.asked())) == {moved.isoformat()}
    assert (ended.summary.cells, ended.summary.cells_skipped) == (1, 13)
    assert len(house.store.cells[Cell(DOMAIN, moved, "web")].rows) == 3


def test_a_restatement_that_leaves_the_totals_equal_is_caught_by_the_daily_re_read(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY - timedelta(days=1))
    house = House(order(tmp_path), google)
    house.run()
    google.rows = lambda _property, day, _type: [
        row(f"https://a.example/{day}/moved", "shoes", "usa", "MOBILE"),
        row(f"https://a.example/{day}", "", "usa", "MOBILE", clicks=0),
    ]
    house.clock.advance(600)
    ended = next_run(house).run()
    assert ended.summary.cells == 0, "equal totals, read ten minutes ago"
    house.clock.advance(86_400)
    google.requests.clear()
    ended = next_run(house, slot=SLOT + timedelta(days=1)).run()
    fresh = [TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)]
    assert set(days_of(google.asked())) == {day.isoformat() for day in fresh}
    for day in fresh:
        assert house.store.rows(Cell(DOMAIN, day, "web"))[1].page == f"https://a.example/{day}/moved"
    assert ended.summary.cells_skipped == 11


def test_a_day_is_read_once_more_when_it_becomes_final_and_then_no_more(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY - timedelta(days=2))
    house = House(order(tmp_path), google)
    house.run()
    google.first_incomplete = TODAY - timedelta(days=1)
    for expected in ({(TODAY - timedelta(days=2)).isoformat()}, set()):
        house.clock.advance(600)
        google.requests.clear()
        next_run(house).run()
        assert set(days_of(google.asked())) == expected


def test_a_doubted_cell_is_asked_for_by_every_run(tmp_path):
    doubted = TODAY - timedelta(days=5)
    google = FakeGoogle(
        first_incomplete=TODAY,
        rows=lambda _property, day, _type: [
            row(f"https://a.example/{day}", "q", "usa", "MOBILE"), *([row("short")] if day == doubted else [])
        ],
    )  # fmt: skip
    house = House(order(tmp_path), google)
    house.run()
    for _ in range(2):
        house.clock.advance(60)
        google.requests.clear()
        next_run(house).run()
        assert set(days_of(google.asked())) == {doubted.isoformat()}


def test_a_skipped_cell_counts_as_done_by_the_run(tmp_path):
    house = House(order(tmp_path), FakeGoogle(first_incomplete=TODAY))
    house.run()
    house.clock.advance(600)
    today = TODAY.isoformat()
    plain = house.google.rows
    house.google.rows = lambda *asked: [*plain(*asked), row("/new", "", "usa", "TABLET")]
    cut = next_run(house, timeout_seconds=100)
    cut.store.on_write = lambda _: cut.clock.advance(60)
    cut.google.first_incomplete = TODAY
    cut.google.rows = lambda *asked: (
        plain(*asked)
        if asked[1] < TODAY - timedelta(days=3)
        else [*plain(*asked), row("/new", "", "usa", "TABLET")]
    )
    ended = cut.run()
    assert ended.summary.state is State.CONTINUES
    assert (ended.summary.cells, ended.summary.cells_skipped) == (2, 10)
    cut.store.on_write = lambda _: None
    house.google.requests.clear()
    ended = cut.again().run()
    assert (ended.summary.state, ended.summary.cells, ended.summary.cells_skipped) == (State.SUCCEEDED, 2, 0)
    assert today not in days_of(house.google.asked())


def test_an_answer_that_was_kept_out_because_it_was_empty_leaves_the_cell_doubted():
    entry = Entry()
    assert decide(Cell("a", SETTLED, "web"), replace(entry, totals=None), SAME, FRESH_FROM, NOW) == Fetch(
        Because.DOUBTED
    )


def test_a_final_window_counts_all_its_days_as_skipped(tmp_path):
    google = FakeGoogle(first_incomplete=TODAY - timedelta(days=2))
    house = House(order(tmp_path, window={"days": 10, "data_state": "Final"}), google)
    house.run()
    house.clock.advance(600)
    ended = next_run(house).run()
    assert (ended.summary.cells, ended.summary.cells_skipped) == (0, 10)


def test_a_launch_that_was_cut_off_in_the_days_before_its_window_goes_on_there(tmp_path):
    house = House(order(tmp_path), FakeGoogle())
    house.run()
    slot = SLOT + timedelta(days=20)
    house.google.first_incomplete = TODAY + timedelta(days=18)
    later = house.order.model_copy(update={"run_id": "later", "slot": slot, "timeout_seconds": 1000})
    cut = House(later, house.google, house.store, ManualClock(slot))
    cut.store.on_write = lambda _: cut.clock.advance(55)
    ended = cut.run()
    assert (ended.summary.state, ended.summary.cells) == (State.CONTINUES, 18), (
        "the window first, then four days"
    )
    cut.store.on_write = lambda _: None
    ended = cut.again().run()
    assert ended.summary.state is State.SUCCEEDED
    assert ended.summary.catch_up_days == 9
    assert {cell.day for cell in house.store.cells} == {TODAY + timedelta(days=day) for day in range(-13, 21)}
    fresh = {cell.day for cell, found in house.store.cells.items() if not found.final}
    assert fresh == {TODAY + timedelta(days=day) for day in (18, 19, 20)}
