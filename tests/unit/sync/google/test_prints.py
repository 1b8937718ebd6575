"""Whether an answer says what is stored: told from its bytes, whatever the order of tied rows; rows only when asked for."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.dimension_sets import dimensions_of
from sync.google.answers import PageDecoder
from sync.google.pages import Gathered, gather
from sync.google.prints import UnreadRows, digest_of_prints, prints_of

DIMENSIONS = dimensions_of("web", "page-query")
DECODE = PageDecoder(DIMENSIONS)


def rows(count: int, *, clicks: int = 1) -> list[dict]:
    return [
        {
            "keys": [f"/{n}", "q", "usa", "MOBILE"],
            "clicks": clicks,
            "impressions": 5,
            "ctr": 0.2,
            "position": 1.5,
        }
        for n in range(count)
    ]


class Server:
    """Serves rows page by page, each time with its ties in another order; remembers what was asked."""

    def __init__(self, served: list[dict], known: bytes = b"") -> None:
        self.served, self.known, self.asked = served, known, []

    def __call__(self, start: int, limit: int):
        self.asked.append(start)
        page = self.served[start : start + limit]
        random.Random(len(self.asked)).shuffle(page)
        return DECODE(json.dumps({"rows": page} if page else {}).encode(), self.known)


def fetched(served: list[dict], known: bytes = b"") -> Gathered:
    return gather(Server(served, known))


def test_the_same_rows_in_another_order_have_the_same_digest_and_stay_undecoded():
    first = fetched(rows(300))
    assert first.digest
    server = Server(rows(300), first.digest)
    again = gather(server)
    assert again.digest == first.digest
    assert isinstance(again.rows, UnreadRows)
    assert len(again.rows) == 300
    assert server.asked == [0, 300]
    assert sorted(again.rows) == sorted(first.rows)
    assert again.rows[0] in first.rows
    assert again.consistent


@pytest.mark.parametrize(
    "change",
    [
        lambda served: served[:-1],
        lambda served: [*served, *rows(301)[300:]],
        lambda served: [*served[:-1], {**served[-1], "impressions": 6}],
        lambda served: [*served[:-1], {**served[-1], "position": 1.25}],
        lambda served: [*served[:-1], {**served[-1], "keys": ["/x", "q", "usa", "MOBILE"]}],
    ],
    ids=["a row vanished", "a row came", "a count changed", "a position changed", "a key changed"],
)
def test_any_change_is_seen_and_the_rows_are_decoded(change):
    known = fetched(rows(300)).digest
    changed = change(rows(300))
    again = fetched(changed, known)
    assert again.digest != known
    assert not isinstance(again.rows, UnreadRows)
    assert len(again.rows) == len(changed)


def test_a_known_page_with_more_behind_it_is_read_with_the_rest():
    known = fetched(rows(25_000)).digest
    server = Server(rows(25_010), known)
    both = gather(server)
    assert len(both.rows) == 25_010
    assert not isinstance(both.rows, UnreadRows)
    assert server.asked == [0, 25_000, 25_010]
    assert both.digest not in (b"", known)


@pytest.mark.parametrize(
    "served",
    [
        [*rows(3), {"keys": ["/0", "q", "usa", "MOBILE"], "clicks": 1, "impressions": 9, "position": 1}],
        [*rows(3), {"keys": ["/3"], "clicks": 1, "impressions": 9, "position": 1}],
        [*rows(3), {"keys": ["/3", "q", "usa", "MOBILE"], "clicks": 0.5, "impressions": 9, "position": 1}],
    ],
    ids=["one key with two numbers", "too few keys", "half a click"],
)
def test_an_answer_with_doubts_has_no_digest(served):
    assert fetched(served).digest == b""


def test_a_short_page_that_was_not_the_last_is_read_whole_and_its_digest_left_to_the_store():
    served = rows(9)

    def ask(start: int, limit: int):
        page = served[start : start + 5]
        return DECODE(json.dumps({"rows": page}).encode(), short=0 if start else limit)

    found = gather(ask)
    assert len(found.rows) == 9
    assert found.consistent
    assert found.digest == b""


def test_a_known_page_with_a_row_that_came_twice_steps_over_no_rank():
    """The double has no rank of its own here: the next page begins where a walk by distinct rows would go on."""
    known = fetched([*rows(3), *rows(1)]).digest
    hidden = {**rows(1)[0], "keys": ["/hidden", "q", "usa", "MOBILE"]}

    def ask(start: int, limit: int):
        del limit
        ranks = [*rows(3), hidden]
        page = [*ranks[:3], *rows(1)] if start == 0 else ranks[start:]
        return DECODE(json.dumps({"rows": page} if page else {}).encode(), known)

    found = gather(ask)
    assert sorted(row.page for row in found.rows) == ["/0", "/1", "/2", "/hidden"]
    assert found.consistent


def test_a_row_that_came_twice_counts_once():
    doubled = fetched([*rows(3), *rows(1)])
    assert len(doubled.rows) == 3
    assert doubled.duplicates == 1
    assert doubled.digest == fetched(rows(3)).digest


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"rows":3}', b'{"rows":[1', b"\xff", b'{"rows":[NaN]}', b'{"rows":' + b"[" * 100_000],
    ids=["nothing", "a list", "no rows", "cut", "no text", "no number", "nested without end"],
)
def test_what_is_no_plain_page_has_no_prints(body):
    assert prints_of(body) is None


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 2**128 - 1), max_size=12), st.randoms(use_true_random=False))
def test_the_digest_knows_the_set_of_prints_and_nothing_else(prints, shuffled):
    other = sorted(prints)
    shuffled.shuffle(other)
    assert digest_of_prints(prints) == digest_of_prints(other)
    assert digest_of_prints([*prints, 2**128]) != digest_of_prints(prints)
