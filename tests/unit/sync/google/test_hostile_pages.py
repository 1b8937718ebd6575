"""Gathering from a server that does anything at any request: bounded in questions, and nothing is invented or doubled."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import BadAnswer
from sync.google.answers import Page
from sync.google.pages import MENDING_REQUESTS, STALE_PAGES, Gathered, gather
from sync.plan.cells import CAP_ROWS, Row

Rows = list[Row]


def rows_of(count: int, salt: int = 0) -> Rows:
    """Distinct rows, three of each number of clicks; another salt is another state of the same day."""
    return [
        Row(f"https://a.example/{n}", "q", "usa", "MOBILE", (count - n) // 3 + salt, 90, 1.0)
        for n in range(count)
    ]


def page(rows: Rows, quarantined: int = 0) -> Page:
    raw = tuple(f"row {n}" for n in range(quarantined))
    return Page([row[:4] for row in rows], rows, len(rows) + quarantined, raw, "byPage")


BEHAVIOURS: dict[str, Callable[[Rows, Rows, int, int], Page]] = {
    "well": lambda now, _, start, limit: page(now[start : start + limit]),
    "short": lambda now, _, start, limit: page(now[start : start + max(1, limit // 2)]),
    "long": lambda now, _, start, limit: page(now[start : start + limit + 3]),
    "empty": lambda *_: page([]),
    "the first page again": lambda now, _, __, limit: page(now[:limit]),
    "with rows of the page before": lambda now, _, start, limit: page(now[max(0, start - 2) : start + limit]),
    "another state": lambda _, other, start, limit: page(other[start : start + limit]),
    "reversed": lambda now, _, start, limit: page(now[::-1][start : start + limit]),
    "a row twice": lambda now, _, start, limit: page(now[start : start + limit] + now[start : start + 1]),
    "an impossible row": lambda now, _, start, limit: page(now[start : start + limit], quarantined=1),
}


class Server:
    """Behaves by a script, then well; counts its questions."""

    def __init__(self, count: int, limit: int, script: list[str]) -> None:
        self.now, self.other = rows_of(count), rows_of(count, salt=1)
        self._limit = limit
        self._script = list(script)
        self.questions = 0

    def __call__(self, start: int, limit: int) -> Page:
        behaviour = self._script[self.questions] if self.questions < len(self._script) else "well"
        self.questions += 1
        return BEHAVIOURS[behaviour](self.now, self.other, start, min(limit, self._limit))


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(0, 40),
    limit=st.integers(2, 15),
    script=st.lists(st.sampled_from(sorted(BEHAVIOURS)), max_size=12),
    expect_rows=st.booleans(),
)
def test_whatever_a_server_does_nothing_is_invented_doubled_or_asked_for_ever(
    count: int, limit: int, script: list[str], expect_rows: bool
) -> None:
    server = Server(count, limit, script)
    try:
        found = gather(server, expect_rows=expect_rows)
    except BadAnswer:
        found = Gathered([], (), False, "", 0, 0, 0, 0)
    keys = [row[:4] for row in found.rows]
    assert len(keys) == len(set(keys)), "no row twice"
    assert set(found.rows) <= {*server.now, *server.other}, "no row that was not shown"
    assert not found.saturated
    walks = 3
    assert server.questions <= walks * (count + STALE_PAGES + len(script) + 1) + MENDING_REQUESTS
    assert count < CAP_ROWS


LOSES_NOTHING = ("well", "short", "long", "a row twice", "with rows of the page before")


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 40),
    limit=st.integers(2, 15),
    script=st.lists(st.sampled_from(LOSES_NOTHING), max_size=12),
)
def test_what_was_shown_is_gathered_whole_or_known_to_be_incomplete(
    count: int, limit: int, script: list[str]
) -> None:
    server = Server(count, limit, script)
    found = gather(server)
    assert set(found.rows) == set(server.now) or not found.consistent


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(1, 40),
    limit=st.integers(2, 15),
    script=st.lists(st.sampled_from(["well", "short", "long", "a row twice"]), max_size=12),
)
def test_short_and_long_pages_and_doubled_rows_lose_nothing(
    count: int, limit: int, script: list[str]
) -> None:
    server = Server(count, limit, script)
    assert set(gather(server).rows) == set(server.now)
