"""Gathering a cell from pages, whatever the server does to their order."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import BadAnswer
from sync.google import pages
from sync.google.answers import Page
from sync.google.pages import gather
from sync.plan.cells import CAP_ROWS, PAGE_ROWS, Row
from tests.script import Script


def a_row(number: int, clicks: int = 1) -> Row:
    return Row(f"https://a.example/{number}", "q", "usa", "MOBILE", clicks, 10, 1.0)


def page_of(rows: list[Row], quarantined: tuple[str, ...] = ()) -> Page:
    return Page([row[:4] for row in rows], rows, len(rows) + len(quarantined), quarantined, "byPage")


class Server:
    """Serves rows by offset; `order` may shuffle them for each answer."""

    def __init__(
        self,
        rows: list[Row],
        order: Callable[[list[Row]], list[Row]] = lambda rows: rows,
        limit: int = PAGE_ROWS,
    ):
        self.rows = rows
        self.order = order
        self.limit = limit
        self.starts: list[int] = []

    def __call__(self, start: int, limit: int) -> Page:
        self.starts.append(start)
        shown = self.order(self.rows)[:CAP_ROWS]
        return page_of(shown[start : start + min(limit, self.limit)])


class Knowing(Server):
    """As the decoder does it: an answer that says what is stored comes without its rows, which can be read."""

    def __init__(self, stored: list[Row], hiccups: Collection[int] = (), **about: Any):
        super().__init__(stored, **about)
        self.stored = set(stored)
        self.hiccups = hiccups
        """Which answers are empty for no reason, by number."""

    def __call__(self, start: int, limit: int) -> Page:
        page = super().__call__(start, limit)
        if len(self.starts) - 1 in self.hiccups:
            return page_of([])
        if set(page.rows) != self.stored:
            return page
        return replace(page, keys=[], decoded=[], distinct=len(page.rows), read=lambda: page)


def test_an_answer_known_before_is_not_read():
    server = Knowing([a_row(n) for n in range(30)])
    found = gather(server)
    assert server.starts == [0, 30]
    assert len(found.rows) == 30


@pytest.mark.parametrize(
    ("limit", "hiccups"),
    [
        pytest.param(PAGE_ROWS, {0}, id="the first answer is empty, the second is known"),
        pytest.param(PAGE_ROWS, {0, 2}, id="and so is the end of it"),
    ],
)
def test_a_known_answer_that_comes_late_brings_all_its_rows(limit, hiccups):
    stored = [a_row(n) for n in range(30)]
    found = gather(Knowing(stored, hiccups, limit=limit), expect_rows=True)
    assert sorted(found.rows) == sorted(stored)
    assert found.consistent


@given(
    groups=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    surplus=st.integers(0, 3),
    hiccup=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_what_is_known_before_never_costs_a_row(groups, surplus, hiccup, seed):
    rows = [
        a_row(10 * group + n, clicks=20 - group) for group, size in enumerate(groups) for n in range(size)
    ]
    server = Knowing(rows, {0} if hiccup else (), order=tied_shuffle(seed))
    server.rows = [*rows, *(a_row(1000 + n, clicks=0) for n in range(surplus))]
    found = gather(server, expect_rows=True)
    assert sorted(found.rows) == sorted(server.rows)


def test_a_short_page_is_followed_by_the_question_for_more():
    server = Server([a_row(n) for n in range(10)])
    found = gather(server)
    assert len(found.rows) == 10
    assert server.starts == [0, 10]
    assert (found.pages, found.saturated, found.duplicates, found.consistent) == (2, False, 0, True)
    assert found.aggregation == "byPage"


def test_a_short_page_with_more_behind_it_loses_nothing():
    server = Server([a_row(n) for n in range(95)], limit=10)
    assert len(gather(server).rows) == 95
    assert server.starts == [*range(0, 95, 10), 95]


@pytest.mark.parametrize(
    ("rows", "starts", "saturated"),
    [
        (0, [0], False),
        (25_000, [0, 25_000], False),
        (25_001, [0, 25_000, 25_001], False),
        (50_000, [0, 25_000], True),
        (60_000, [0, 25_000], True),
    ],
)
def test_paging_ends_at_an_empty_page_or_at_the_cap(rows, starts, saturated):
    server = Server([a_row(n, clicks=rows - n) for n in range(rows)])
    found = gather(server)
    assert server.starts == starts
    assert found.saturated is saturated
    assert len(found.rows) == min(rows, CAP_ROWS)


def test_a_page_longer_than_asked_for_is_taken_and_counted():
    rows = [a_row(n) for n in range(30_000)]
    starts: list[int] = []

    def ask(start: int, _limit: int) -> Page:
        starts.append(start)
        return page_of(rows[start : start + 26_000])

    assert len(gather(ask).rows) == 30_000
    assert starts == [0, 26_000, 30_000]


def test_a_server_that_ignores_the_start_row_is_found_out():
    with pytest.raises(BadAnswer, match="start row"):
        gather(lambda _start, _limit: page_of([a_row(1), a_row(2)]))


def test_an_empty_answer_is_doubted_only_when_rows_are_expected():
    answers = [page_of([]), page_of([a_row(1)]), page_of([])]
    found = gather(Script(*answers), expect_rows=True)
    assert len(found.rows) == 1
    assert found.pages == 3
    answers = [page_of([])]
    assert gather(Script(*answers)).rows == []


def test_equal_rows_within_a_page_are_one_and_no_sign_of_loss():
    answers = [page_of([a_row(1), a_row(1), a_row(2)]), page_of([])]
    found = gather(Script(*answers))
    assert len(found.rows) == 2
    assert (found.duplicates, found.consistent) == (1, True)


@pytest.mark.parametrize("extra", ["of this page", "of the page before"])
def test_rows_on_top_of_a_full_page_make_nobody_step_over_others(extra):
    rows = [a_row(n, clicks=60_000 - n) for n in range(2 * PAGE_ROWS - 10)]
    asked = []

    def ask(start, limit):
        asked.append(start)
        page = rows[start : start + limit]
        if len(page) < limit:
            return page_of(page)
        return page_of(page + (page[:7] if extra == "of this page" else rows[max(0, start - 7) : start]))

    found = gather(ask)
    assert set(found.rows) == set(rows)
    assert found.consistent
    assert asked[:2] == [0, PAGE_ROWS]


def test_a_day_restated_between_pages_is_read_again_once():
    old, new = a_row(1, clicks=1), a_row(1, clicks=2)
    answers = [
        page_of([old]),
        page_of([new, a_row(2)]),
        page_of([]),
        page_of([new]),
        page_of([a_row(2)]),
        page_of([]),
    ]
    found = gather(Script(*answers))
    assert sorted(found.rows) == [new, a_row(2)]
    assert found.consistent
    assert found.pages == 6


def test_a_day_that_keeps_changing_keeps_the_later_row_and_is_not_consistent():
    calls = iter(range(1, 100))
    answers = {0: lambda: [a_row(1, next(calls))], 1: lambda: [a_row(1, next(calls)), a_row(2)]}
    found = gather(lambda start, _: page_of(answers.get(start, list)()))
    assert found.conflicts == 1
    assert not found.consistent
    assert {row.clicks for row in found.rows if row.page.endswith("/1")} == {4}


def test_quarantined_rows_count_for_the_offset_and_are_kept_apart():
    answers = {0: page_of([a_row(1)], ("bad",)), 2: page_of([], ("worse",)), 3: page_of([])}
    found = gather(lambda start, _: answers[start])
    assert len(found.rows) == 1
    assert found.quarantined == ("bad", "worse")
    assert (found.duplicates, found.consistent) == (0, True)


def tied_shuffle(seed: int) -> Callable[[list[Row]], list[Row]]:
    chance = random.Random(seed)

    def order(rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: (-row.clicks, chance.random()))

    return order


def test_a_group_of_ties_across_a_page_border_is_mended_by_one_question():
    rows = [a_row(n, clicks=100) for n in range(24_000)] + [a_row(n, clicks=1) for n in range(24_000, 30_000)]
    server = Server(rows, tied_shuffle(1))
    found = gather(server)
    assert len(found.rows) == 30_000
    assert found.consistent
    assert found.duplicates > 0
    assert server.starts == [0, 25_000, 30_000, 24_000]


def test_ties_larger_than_any_page_are_mended_within_bounds():
    server = Server([a_row(n, clicks=0) for n in range(40_000)], tied_shuffle(2))
    found = gather(server)
    assert found.missing <= 40
    assert len(server.starts) <= 3 + pages.MENDING_REQUESTS


def test_a_saturated_cell_of_ties_is_mended_too():
    rows = [a_row(n, clicks=50_000 - n) for n in range(20_000)] + [
        a_row(n, clicks=0) for n in range(20_000, 50_000)
    ]
    found = gather(Server(rows, tied_shuffle(3)))
    assert found.saturated
    assert found.missing <= 100


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    limit=st.integers(3, 20),
    seed=st.integers(0, 10),
)
def test_nothing_is_lost_or_invented_for_any_ties_and_page_size(groups, limit, seed):
    rows = [
        a_row(100 * group + n, clicks=len(groups) - group)
        for group, size in enumerate(groups)
        for n in range(size)
    ]
    found = gather(Server(rows, tied_shuffle(seed), limit))
    assert set(found.rows) <= set(rows)
    assert len(found.rows) == len(set(found.rows))
    assert found.missing == len(rows) - len(found.rows)
