"""Rows of one cell in the binary format of COPY, many at a time; `cell_writer` sends them.

psycopg writes rows of any types, one call and ten dumpers a row. Those of a cell are all alike and of fixed width, so a
row is one `struct` in which the lengths are constants: less than half the work, and sorted as bytes they are sorted by
their keys. The format is Postgres's: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from typing import Any

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ROWS_A_WRITE = 4_096
"""Some 300 KB: Postgres works on them while the next are written."""
_CODES = {"int2": "h", "int4": "i", "int8": "q", "float8": "d", "date": "i", "timestamptz": "q"}
_FIRST_DAY = date(2000, 1, 1)
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RowFormat:
    """How a row of columns of these types is written. Only the last may be null; a null one is shorter."""

    def __init__(self, constants: Sequence[str], types: Sequence[str]) -> None:
        """`constants` are the types of what begins every row and is the same in all."""
        self._constants, self._types = tuple(constants), tuple(types)
        self._begin = struct.Struct(">h" + "".join(f"i{_CODES[kind]}" for kind in constants))
        fields = [f"i{_CODES[kind]}" for kind in types]
        self._row = struct.Struct(f">{self._begin.size}s" + "".join(fields))
        self._short = struct.Struct(f">{self._begin.size}s" + "".join(fields[:-1]) + "i")
        self._lengths = [struct.calcsize(f">{_CODES[kind]}") for kind in types]

    def rows(self, constants: Sequence[Any], columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """Every row, in the order of the columns.

        Raises struct.error for a number that its type cannot hold; what comes from Google was bounded when it was read.
        """
        begin = repeat(self._beginning(constants))
        plain = [_plain(kind, column) for kind, column in zip(self._types, columns, strict=True)]
        fields = chain.from_iterable(zip(map(repeat, self._lengths), plain, strict=True))
        if None not in plain[-1]:
            return list(map(self._row.pack, begin, *fields))
        whole, short = self._row.pack, self._short.pack
        return [
            whole(*row) if row[-1] is not None else short(*row[:-2], -1)
            for row in zip(begin, *fields, strict=False)
        ]

    def _beginning(self, constants: Sequence[Any]) -> bytes:
        fields = [
            each
            for kind, value in zip(self._constants, constants, strict=True)
            for each in (struct.calcsize(f">{_CODES[kind]}"), *_plain(kind, [value]))
        ]
        return self._begin.pack(len(self._constants) + len(self._types), *fields)


def stream(rows: Sequence[bytes]) -> Iterator[bytes]:
    """All that a COPY is sent, in pieces."""
    yield HEADER
    for first in range(0, len(rows), ROWS_A_WRITE):
        yield b"".join(rows[first : first + ROWS_A_WRITE])
    yield TRAILER


def _plain(kind: str, column: Sequence[Any]) -> Sequence[Any]:
    """Days and moments as the numbers that Postgres counts them by."""
    match kind:
        case "date":
            return [(day - _FIRST_DAY).days for day in column]
        case "timestamptz":
            return [(moment - _FIRST_MOMENT) // _MICROSECOND for moment in column]
        case _:
            return column


__all__ = ["RowFormat", "stream"]
