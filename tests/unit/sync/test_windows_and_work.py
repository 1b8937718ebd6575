"""Which days, which cells, at what cost."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.run_spec import DataState
from sync.plan.cells import Cell
from sync.plan.windows import (
    Days,
    days_to_fetch,
    first_fresh_day,
    next_pacific_midnight,
    pacific_day,
    probe_days,
    window,
)
from sync.plan.work import cells_of, estimate, still_to_do

moments = st.integers(0, 15 * 366 * 86_400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("slot", "day"),
    [
        pytest.param("2026-06-15T04:00Z", "2026-06-14", id="04:00 UTC in summer is 21:00 the day before"),
        pytest.param("2026-01-15T04:00Z", "2026-01-14", id="04:00 UTC in winter is 20:00 the day before"),
        pytest.param("2026-06-15T07:00Z", "2026-06-15", id="midnight in summer"),
        pytest.param("2026-06-15T06:59Z", "2026-06-14", id="a minute before midnight in summer"),
        pytest.param("2026-01-15T07:59Z", "2026-01-14", id="a minute before midnight in winter"),
        pytest.param("2026-03-08T09:30Z", "2026-03-08", id="before the clocks go forward"),
        pytest.param("2026-11-01T08:30Z", "2026-11-01", id="in the hour that comes twice"),
        pytest.param("2026-06-15T13:00+09:00", "2026-06-14", id="a slot written in another zone"),
    ],
)
def test_a_moment_lies_on_a_day_in_california(slot, day):
    assert pacific_day(datetime.fromisoformat(slot)) == date.fromisoformat(day)


def test_a_moment_without_a_zone_lies_nowhere():
    with pytest.raises(ValueError, match="time zone"):
        pacific_day(datetime(2026, 6, 15, tzinfo=UTC).replace(tzinfo=None))


@given(moments, st.integers(1, 480))
def test_a_window_is_so_many_days_in_a_row_that_end_with_the_slots(slot, days):
    span = window(slot, days)
    listed = span.newest_first()
    assert len(listed) == len(span) == days
    assert listed[0] == pacific_day(slot) == span.last
    assert listed[-1] == span.first
    assert all(newer - older == timedelta(days=1) for newer, older in pairwise(listed))


@given(moments)
def test_the_next_midnight_is_within_25_hours_and_begins_a_new_day(now):
    midnight = next_pacific_midnight(now)
    assert timedelta() < midnight - now <= timedelta(hours=25)
    assert pacific_day(midnight) == pacific_day(midnight - timedelta(seconds=1)) + timedelta(days=1)


def test_t12_midnight_knows_both_days_on_which_the_clocks_change():
    assert next_pacific_midnight(datetime(2026, 3, 8, 9, tzinfo=UTC)) == datetime(2026, 3, 9, 7, tzinfo=UTC)
    assert next_pacific_midnight(datetime(2026, 11, 1, 8, tzinfo=UTC)) == datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("slot", "day"),
    [
        pytest.param(
            "2026-03-08T08:59+01:00", "2026-03-07", id="T12 Berlin, the day of 23 hours is to begin"
        ),
        pytest.param("2026-03-08T09:00+01:00", "2026-03-08", id="T12 Berlin, the day of 23 hours begins"),
        pytest.param(
            "2026-03-09T07:59+01:00", "2026-03-08", id="T12 Berlin, its last minute, an hour earlier"
        ),
        pytest.param("2026-03-09T08:00+01:00", "2026-03-09", id="T12 Berlin, the day after"),
        pytest.param("2026-11-01T16:00+09:00", "2026-11-01", id="T12 Tokyo, the day of 25 hours begins"),
        pytest.param("2026-11-02T16:59+09:00", "2026-11-01", id="T12 Tokyo, its last minute, an hour later"),
        pytest.param("2026-11-02T17:00+09:00", "2026-11-02", id="T12 Tokyo, the day after"),
    ],
)
def test_a_slot_of_another_zone_asks_for_the_right_days_when_the_clocks_change(slot, day):
    moment = datetime.fromisoformat(slot)
    span = window(moment, 14)
    assert span.last == date.fromisoformat(day)
    assert len(set(span.newest_first())) == 14


def test_google_says_where_final_data_end_or_we_guess_to_the_safe_side():
    now = datetime(2026, 6, 15, 4, tzinfo=UTC)
    asked = Days(date(2026, 6, 1), date(2026, 6, 14))
    assert first_fresh_day(date(2026, 6, 13), asked, now) == date(2026, 6, 13)
    assert first_fresh_day(None, asked, now) == date(2026, 6, 11)
    assert first_fresh_day(date(2001, 1, 1), asked, now) == date(2026, 6, 1), "none of them is final"
    assert first_fresh_day(date(2026, 6, 20), asked, now) == date(2026, 6, 14), (
        "the running day is never final"
    )


@given(moments, st.integers(1, 100), st.integers(-3, 10))
def test_a_final_window_has_as_many_days_none_of_them_fresh(slot, days, back):
    fresh_from = pacific_day(slot) - timedelta(days=back)
    span = days_to_fetch(slot, days, DataState.FINAL, fresh_from)
    assert len(span) == days
    assert span.last < fresh_from
    assert span.last <= pacific_day(slot)
    assert days_to_fetch(slot, days, DataState.ALL, fresh_from) == window(slot, days)


def test_the_probe_of_a_final_window_looks_further_back():
    slot = datetime(2026, 6, 15, 4, tzinfo=UTC)
    assert len(probe_days(slot, 14, DataState.ALL)) == 14
    assert len(probe_days(slot, 14, DataState.FINAL)) == 21


def test_a_span_that_ends_before_it_begins_is_empty():
    assert len(Days(date(2026, 1, 2), date(2026, 1, 1))) == 0
    assert Days(date(2026, 1, 2), date(2026, 1, 1)).newest_first() == []


def test_cells_come_newest_day_first_with_the_types_side_by_side():
    spans = {
        "web": Days(date(2026, 6, 1), date(2026, 6, 2)),
        "image": Days(date(2026, 6, 2), date(2026, 6, 3)),
    }
    cells = cells_of("sc-domain:a", spans, ["page-query"], date(2026, 6, 3))
    assert [(cell.day.day, cell.search_type) for cell in cells] == [
        (3, "image"),
        (2, "web"),
        (2, "image"),
        (1, "web"),
    ]
    assert still_to_do(cells, {cells[0], cells[2]}) == [cells[1], cells[3]]
    assert cells[0] == Cell("sc-domain:a", date(2026, 6, 3), "image")


def test_cells_that_google_does_not_give_are_not_listed():
    span = Days(date(2026, 6, 1), date(2026, 6, 14))
    cells = cells_of(
        "sc-domain:a",
        {"web": span, "discover": span},
        ["totals", "query", "device", "hourly"],
        date(2026, 6, 14),
    )
    days = Counter((cell.search_type, cell.dimension_set) for cell in cells)
    assert days == {
        ("web", "totals"): 14,
        ("web", "query"): 14,
        ("web", "device"): 14,
        ("web", "hourly"): 10,
        ("discover", "totals"): 14,
    }
    assert min(cell.day for cell in cells if cell.dimension_set == "hourly") == date(2026, 6, 5)


@pytest.mark.parametrize(
    ("types", "sets", "cells", "requests"),
    [
        pytest.param(["web"], ["totals"], 14, 1 + 14, id="totals are one row, so one request"),
        pytest.param(["web"], ["hourly"], 10, 1 + 20, id="hours reach back ten days"),
        pytest.param(["web", "discover"], ["query"], 14, 1 + 28, id="what is not given costs nothing"),
        pytest.param(["web"], ["page-query", "search-appearance"], 28, 1 + 28 + 14 * 12, id="two steps"),
    ],
)
def test_each_set_has_its_price(types, sets, cells, requests):
    guess = estimate(
        [1],
        days=14,
        search_types=types,
        dimension_sets=sets,
        concurrency=1,
        requests_per_second_per_property=5,
    )
    assert (guess.cells, guess.requests) == (cells, requests)
    with_sitemaps = estimate(
        [1],
        days=14,
        search_types=types,
        dimension_sets=sets,
        concurrency=1,
        requests_per_second_per_property=5,
        sitemaps=True,
    )
    assert with_sitemaps.requests == requests + 1


@pytest.mark.parametrize(
    ("properties", "types", "rate", "concurrency", "requests", "minutes"),
    [
        pytest.param([1], 1, 5, 10, 29, 29 / 300, id="one property at its own rate"),
        pytest.param([20], 1, 5, 10, 580, max(2 * 29 / 300, 580 / 1200), id="one identity at Google's limit"),
        pytest.param(
            [20, 20], 1, 5, 10, 1160, max(4 * 29 / 300, 580 / 1200), id="two identities side by side"
        ),
        pytest.param([20], 1, 5, 1, 580, 20 * 29 / 300, id="one after the other"),
        pytest.param([0, 0], 6, 5, 10, 0, 0, id="nothing to do"),
    ],
)
def test_the_cost_is_guessed_from_quotas(properties, types, rate, concurrency, requests, minutes):
    guess = estimate(
        properties,
        days=14,
        search_types=["web", "image", "video", "news", "discover", "googleNews"][:types],
        dimension_sets=["page-query"],
        concurrency=concurrency,
        requests_per_second_per_property=rate,
    )
    assert (guess.requests, guess.properties) == (requests, sum(properties))
    assert guess.minutes == pytest.approx(minutes)
