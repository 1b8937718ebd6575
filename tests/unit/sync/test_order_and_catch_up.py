"""Who goes first, how much room a cell needs, and how far a window reaches back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import ContractError, Limits, Window
from sync.plan.catch_up import catch_up, reach
from sync.plan.cells import CAP_ROWS, Cell
from sync.plan.order import Synced, expected_rows, in_order, likely_rows
from sync.plan.totals import Totals
from sync.plan.windows import Days, oldest_kept, regular, settled

NOW = datetime(2026, 6, 15, 4, tzinfo=UTC)
LAST = date(2026, 6, 14)
WEB, IMAGE, HOURS = ("web", "page-query"), ("image", "page-query"), ("web", "hourly")


def ago(hours: float, rows: int = 0) -> Synced:
    return Synced(NOW - timedelta(hours=hours), rows)


@pytest.mark.parametrize(
    ("synced", "order"),
    [
        pytest.param({}, "abc", id="by name when nothing is known"),
        pytest.param({"a": ago(1), "b": ago(30), "c": ago(7)}, "bca", id="oldest first"),
        pytest.param({"a": ago(30), "b": ago(1, 10**9)}, "cab", id="never synced is the oldest"),
        pytest.param({"a": ago(5.1, 900), "b": ago(5.9, 800), "c": ago(5.5, 7)}, "cba", id="small first within an hour"),
        pytest.param({"a": ago(-3), "b": ago(0), "c": ago(1)}, "cba", id="a clock that went back"),
    ],
)  # fmt: skip
def test_properties_go_oldest_first_then_small_first_then_by_name(synced, order):
    assert "".join(name for _, name in in_order("cab", synced, NOW)) == order
    assert all(before[0] < after[0] for before, after in pairwise(in_order("abc", synced, NOW)))


@dataclass(frozen=True)
class Entry:
    cell: Cell
    final: bool = True
    rows: int = 0
    totals: Totals | None = None
    fetched_at: datetime | None = None
    saturated: bool = False
    parts: int = 0
    split_requests: int = 0


@pytest.mark.parametrize(
    ("rows", "impressions", "expected"),
    [
        pytest.param(None, 0, 500, id="nothing known, nothing there"),
        pytest.param(None, 1000, 3000, id="by impressions"),
        pytest.param(None, 1e12, CAP_ROWS, id="more than Google shows"),
        pytest.param(1000, 1e6, 1250, id="by what it had"),
        pytest.param(49_000, 1e6, CAP_ROWS, id="near the cap"),
        pytest.param(0, 1000, 3000, id="it had nothing"),
    ],
)
def test_room_for_a_cell_is_guessed_on_the_safe_side(rows, impressions, expected):
    known = None if rows is None else Entry(Cell("a", LAST, "web"), rows=rows)
    assert expected_rows(known, Totals(0, impressions)) == expected


@pytest.mark.parametrize(
    ("rows", "impressions", "split_requests", "expected"),
    [
        pytest.param(80_000, 1e6, 0, CAP_ROWS, id="split before, and not any more"),
        pytest.param(80_000, 1e6, 60, 100_000, id="by what its parts had"),
        pytest.param(None, 100_000, 60, 300_000, id="by impressions, beyond the cap"),
        pytest.param(None, 1e12, 6, 5 * CAP_ROWS, id="six requests bring four parts at most"),
        pytest.param(49_000, 1e6, 60, 61_250, id="over the cap for the first time"),
    ],
)
def test_the_parts_of_a_cell_are_in_memory_together(rows, impressions, split_requests, expected):
    known = None if rows is None else Entry(Cell("a", LAST, "web"), rows=rows)
    assert expected_rows(known, Totals(0, impressions), split_requests) == expected


@pytest.mark.parametrize(
    ("density", "rows"),
    [
        pytest.param(None, 30_000, id="no other cell is known"),
        pytest.param(0.1, 1500, id="a tenth of the impressions, and half as much again"),
        pytest.param(0.001, 500, id="never less than a small one"),
        pytest.param(3.0, 30_000, id="never more than before"),
    ],
)
def test_cells_that_were_read_say_how_large_the_next_may_be(density, rows):
    assert likely_rows(30_000, 10_000, density) == rows


def back(days: int) -> date:
    return LAST - timedelta(days=days)


def entries(final: range | list[int], fresh: range | list[int] = (), pair=WEB) -> list[Entry]:
    return [
        Entry(Cell("a", back(day), *pair), word)
        for days, word in ((final, True), (fresh, False))
        for day in days
    ]


WINDOW = Days(back(13), LAST)
BOUND = back(59)


@pytest.mark.parametrize(
    ("known", "older", "since", "cut"),
    [
        pytest.param([], [], None, False, id="a first load is no gap"),
        pytest.param(entries(range(3, 17), range(3)), [], None, False, id="yesterday's run"),
        pytest.param(entries(range(33, 44), range(30, 33)), [], 32, False, id="30 days of outage: from the first fresh day"),
        pytest.param(entries(range(33, 44)), [], 32, False, id="30 days of outage, all read was final"),
        pytest.param(entries(range(3, 60)), [WEB], None, False, id="months without a gap"),
        pytest.param(entries([*range(20), *range(25, 60)]), [WEB], 24, False, id="a gap in the middle"),
        pytest.param(entries(range(60), []), [WEB], None, False, id="all final"),
        pytest.param([], [WEB], 59, True, id="an outage of months"),
        pytest.param(entries(range(58)), [WEB], 59, True, id="the gap begins where sight ends"),
        pytest.param(entries(range(16), [16]), [], 16, False, id="a day that never became final"),
        pytest.param(entries(range(14, 20), pair=HOURS), [HOURS], None, False, id="hours are gone"),
        pytest.param(entries(range(60)), [WEB, IMAGE], None, False, id="a type nobody asks for"),
    ],
)  # fmt: skip
def test_the_window_reaches_back_to_the_first_day_that_is_not_final(known, older, since, cut):
    found = catch_up([WEB, HOURS], known, WINDOW, BOUND, older)
    assert found.since == ({} if since is None else {"web": back(since)})
    assert found.cut is cut
    assert found.days(WINDOW) == (0 if since is None else since - 13)
    assert found.extended("web", WINDOW).first == (back(13) if since is None else back(since))
    assert found.extended("image", WINDOW) == WINDOW


@given(st.sets(st.integers(0, 70)), st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_nothing_between_the_reach_and_the_window_is_left_unfinal(final, days, most, older):
    """After reading what the plan says, every day from the first known one to the slot's is read or final."""
    span = Days(back(days - 1), LAST)
    bound = reach(span, most)
    known = [entry for entry in entries(sorted(final)) if entry.cell.day >= bound]
    found = catch_up([WEB], known, span, bound, [WEB] if older else []).extended("web", span)
    assert found.last == LAST
    assert bound <= found.first <= span.first
    first_known = bound if older else min((entry.cell.day for entry in known), default=span.first)
    days_final = {entry.cell.day for entry in known}
    day = first_known
    while day < found.first:
        assert day in days_final
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        pytest.param({"days": 14}, back(13), LAST, id="rolling"),
        pytest.param({"firstDay": "2025-02-01", "lastDay": "2026-05-31"}, date(2025, 2, 1), date(2026, 5, 31), id="16 months"),
        pytest.param({"firstDay": "2026-06-10"}, date(2026, 6, 10), LAST, id="until the slot's day"),
        pytest.param({"firstDay": "2026-06-10", "lastDay": "2026-07-01"}, date(2026, 6, 10), LAST, id="not into the future"),
    ],
)  # fmt: skip
def test_a_run_is_for_its_window_or_for_its_range(window, first, last):
    wanted = Window.from_json(json.dumps(window))
    assert regular(NOW, wanted) == Days(first, last)
    fresh_from = back(3)
    assert settled(NOW, wanted, fresh_from) == Days(first, last)
    final = wanted.model_copy(update={"data_state": "Final"})
    if wanted.is_backfill:
        assert settled(NOW, final, fresh_from) == Days(first, min(last, back(4)))


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        pytest.param('{"lastDay": "2026-05-31"}', "firstDay", id="an end without a beginning"),
        pytest.param('{"firstDay": "2026-06-10", "lastDay": "2026-06-09"}', "1 to 500 days", id="backwards"),
        pytest.param('{"firstDay": "2020-06-10", "lastDay": "2026-06-09"}', "1 to 500 days", id="six years"),
        pytest.param('{"firstDay": "0001-01-01"}', "firstDay", id="before there was a web"),
        pytest.param('{"maxCatchUpDays": 0}', "maxCatchUpDays", id="no day"),
    ],
)
def test_a_range_that_cannot_be_is_refused(window, problem):
    with pytest.raises(ContractError, match=problem):
        Window.from_json(window)


def test_a_backfill_has_half_of_the_rate_unless_told_otherwise():
    assert Limits().backfill_share == 0.5


@given(st.dates(date(2018, 1, 1), date(2090, 12, 31)))
def test_google_keeps_16_months(today):
    oldest = oldest_kept(today)
    months = (today.year - oldest.year) * 12 + today.month - oldest.month
    assert months == 16
    assert oldest.day == today.day or (oldest + timedelta(days=1)).day == 1
