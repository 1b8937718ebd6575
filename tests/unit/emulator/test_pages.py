"""Prepared pages: the same rows in another order each time, as one ordinary gzip member."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.deflate import gzip_of, piece, plain_of
from emulator.pages import CHUNK_ROWS, prepare, row_json, shuffle_ties
from emulator.report import Report, ReportRow

EXTRAS = {"responseAggregationType": "byPage"}


def report_of(clicks: list[int]) -> Report:
    return Report(
        [ReportRow((f"k{index}",), value, value + 1, 1.5) for index, value in enumerate(clicks)], None
    )


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_pieces_joined_are_one_gzip_member(parts: list[bytes]) -> None:
    pieces = [piece(part) for part in parts]
    body = gzip_of(pieces)
    assert gzip.decompress(body) == b"".join(parts) == plain_of(pieces)
    single = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert single.decompress(body) == b"".join(parts)
    assert (single.eof, single.unused_data) == (True, b"")


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("count", [0, 1, 700, 5 * CHUNK_ROWS + 1])
def test_a_page_holds_every_row_once_and_clicks_descend(count: int, gzipped: bool) -> None:
    report = report_of([3] * (count // 10) + [1] * (count - count // 10))
    page = prepare(report, report.rows, EXTRAS, None, random.Random(1))
    for seed in range(5):
        body = page.body(random.Random(seed), gzip=gzipped)
        shown = json.loads(gzip.decompress(body) if gzipped else body)
        rows = shown.pop("rows", [])
        assert shown == EXTRAS
        assert sorted(row["keys"][0] for row in rows) == sorted(row.keys[0] for row in report.rows)
        assert all(before["clicks"] >= after["clicks"] for before, after in pairwise(rows))


@pytest.mark.parametrize("count", [30, 4 * CHUNK_ROWS])
def test_the_order_of_ties_changes_from_answer_to_answer(count: int) -> None:
    report = report_of([1] * count)
    page = prepare(report, report.rows, EXTRAS, None, random.Random(1))
    assert len({page.body(random.Random(seed), gzip=False) for seed in range(20)}) > 4


def test_rows_that_do_not_tie_never_move() -> None:
    report = report_of(list(range(2000, 0, -1)))
    page = prepare(report, report.rows, EXTRAS, None, random.Random(1))
    assert len({page.body(random.Random(seed), gzip=False) for seed in range(5)}) == 1


def test_ties_end_at_a_date() -> None:
    rows = [ReportRow((day, str(n)), 1, 1, 1) for day in ("2026-03-01", "2026-03-02") for n in range(50)]
    report = Report(rows, date_index=0)
    shuffled = shuffle_ties(rows, report.tie, random.Random(1))
    assert shuffled != rows
    assert [row.keys[0] for row in shuffled] == [row.keys[0] for row in rows]


def test_a_row_is_written_as_google_writes_it() -> None:
    assert row_json(ReportRow(("a",), 0, 4, 2)) == {
        "keys": ("a",),
        "clicks": 0,
        "impressions": 4,
        "ctr": 0,
        "position": 2,
    }
    assert json.dumps(row_json(ReportRow((), 1, 4, None))) == '{"clicks": 1, "impressions": 4, "ctr": 0.25}'
    assert row_json(ReportRow(("a",), 1, 4, 2.5), frozenset(("keys", "clicks"))) == {
        "keys": ("a",),
        "clicks": 1,
    }
