"""Rows nobody looks at are not made; looked at, they are a list."""

from __future__ import annotations

from sync.plan.cells import DimensionRow
from sync.plan.lazy_rows import LazyRows, columns_of

ROWS = [DimensionRow("usa", 3, 40, 1.5), DimensionRow("deu", 0, 7, None)]
COLUMNS = (["usa", "deu"], [3, 0], [40, 7], [1.5, None])


def never() -> list[DimensionRow]:
    raise AssertionError("nobody asked for rows")


def test_neither_their_number_nor_their_columns_need_the_rows() -> None:
    lazy = LazyRows(2, never, lambda: COLUMNS)
    assert len(lazy) == 2
    assert columns_of(lazy) == COLUMNS


def test_columns_of_other_rows_are_made_of_the_rows() -> None:
    expected = tuple(map(tuple, COLUMNS))
    assert columns_of(ROWS) == expected
    assert columns_of(LazyRows(2, lambda: ROWS)) == expected
    assert columns_of([]) == ()


def test_rows_and_columns_are_made_once() -> None:
    made: list[str] = []

    def rows() -> list[DimensionRow]:
        made.append("rows")
        return ROWS

    lazy = LazyRows(2, rows)
    assert (list(lazy), lazy[0], lazy[-1:], lazy.columns(), lazy.columns()) == (
        ROWS,
        ROWS[0],
        ROWS[1:],
        columns_of(ROWS),
        columns_of(ROWS),
    )
    assert made == ["rows"]


def test_they_equal_a_list_of_the_same_rows() -> None:
    lazy = LazyRows(2, lambda: ROWS)
    assert lazy == ROWS
    assert lazy == LazyRows(2, lambda: list(ROWS))
    assert lazy != ROWS[::-1]
    assert lazy != "rows"
