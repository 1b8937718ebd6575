"""What a COPY is sent, read back by the documentation: a signature, rows of counted fields with lengths, a trailer."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.store.copy_rows import ROWS_A_WRITE, RowFormat, stream

INTEGERS = {"int2": 2, "int4": 4, "int8": 8, "date": 4, "timestamptz": 8}


def read(sent: bytes) -> list[list[bytes | None]]:
    """The fields of each row as bytes; None where one is null."""
    assert sent[:11] == b"PGCOPY\n\xff\r\n\0"
    flags, extension = struct.unpack_from(">ii", sent, 11)
    assert (flags, extension) == (0, 0)
    found, at = [], 19
    while (fields := int.from_bytes(sent[at : at + 2], signed=True)) >= 0:
        at += 2
        row: list[bytes | None] = []
        for _ in range(fields):
            length = int.from_bytes(sent[at : at + 4], signed=True)
            at += 4
            row.append(None if length < 0 else sent[at : at + length])
            at += max(length, 0)
        found.append(row)
    assert (fields, at + 2) == (-1, len(sent))
    return found


def value(kind: str, field: bytes | None) -> object:
    if field is None:
        return None
    if kind == "float8":
        return struct.unpack(">d", field)[0]
    assert len(field) == INTEGERS[kind]
    number = int.from_bytes(field, signed=True)
    if kind == "date":
        return date(2000, 1, 1) + timedelta(number)
    if kind == "timestamptz":
        return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
    return number


VALUES = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "date": st.dates(),
    "timestamptz": st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-8))])),
    "float8": st.none() | st.floats(allow_nan=False),
}


@st.composite
def cells(draw: st.DrawFn) -> tuple[list[str], list[object], list[str], list[list[object]]]:
    """Constants and rows of some types; the last column may be null."""
    kinds = st.sampled_from([*INTEGERS])
    before = draw(st.lists(kinds, max_size=3))
    types = [*draw(st.lists(kinds, max_size=4)), "float8"]
    constants = [draw(VALUES[kind]) for kind in before]
    rows = draw(st.lists(st.tuples(*(VALUES[kind] for kind in types)).map(list), min_size=1, max_size=5))
    return before, constants, types, rows


@given(cells())
@example((["int4"], [7], ["int2", "float8"], [[1, 0.5], [-1, None], [2, 1.5]]))
def test_every_row_is_read_as_it_was_given(cell) -> None:
    before, constants, types, rows = cell
    sent = b"".join(stream(RowFormat(before, types).rows(constants, [*map(list, zip(*rows, strict=True))])))
    found = [
        [value(kind, field) for kind, field in zip((*before, *types), row, strict=True)] for row in read(sent)
    ]
    assert found == [[*constants, *row] for row in rows]


def test_sorted_as_bytes_rows_are_sorted_by_their_first_key() -> None:
    ids = [300, 2, 70_000, 255, 256]
    rows = RowFormat(("int4",), ("int4", "float8")).rows([1], [ids, [1.0] * len(ids)])
    assert [value("int4", row[1]) for row in read(b"".join(stream(sorted(rows))))] == sorted(ids)


@pytest.mark.parametrize("count", [0, 1, ROWS_A_WRITE - 1, ROWS_A_WRITE, ROWS_A_WRITE + 1])
def test_no_row_is_lost_between_two_pieces(count: int) -> None:
    rows = RowFormat((), ("int4", "float8")).rows([], [range(count), [None] * count])
    assert len(read(b"".join(stream(rows)))) == count


def test_a_number_too_large_for_its_type_is_refused_instead_of_cut() -> None:
    with pytest.raises(struct.error):
        RowFormat((), ("int4", "float8")).rows([], [[2**31], [1.0]])
