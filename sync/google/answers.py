"""From the bytes of a page to rows, as cheaply as Python can.

msgspec checks and builds in one pass in C; per row only a tuple is made here. Google declares counts as doubles, so a
second decoder takes whole doubles. A page that neither takes goes, row by row, through `sync.rows`, which quarantines
what follows no rule; a body that is no page at all raises BadBodyError and is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from sync.google.bodies import BadBodyError, whole_object
from sync.google.prints import digest_of_prints, prints_of
from sync.plan.cells import AnyRow, DimensionRow, HourRow, Row, TotalsRow
from sync.rows import MAX_POSITION, check_row, max_count, whole_text

Key = tuple[Any, ...]
"""What tells the rows of an answer apart, in the order of its dimensions."""
_Text = Annotated[str, Meta(min_length=1)]
_Hour = Annotated[datetime, Meta(tz=True)]
_Position = Annotated[float, Meta(ge=0, le=MAX_POSITION)]

K = TypeVar("K")
N = TypeVar("N")


class _Row(Struct, Generic[K, N], gc=False):
    keys: K
    clicks: N
    impressions: N
    position: _Position | None = None


class _Sum(Struct, Generic[K, N], gc=False):
    """A row without dimensions, and so without keys."""

    clicks: N
    impressions: N
    position: _Position | None = None
    keys: tuple[()] = ()


R = TypeVar("R")


class _Page(Struct, Generic[R], gc=False):
    rows: list[R] = []  # msgspec copies an empty list for each instance
    responseAggregationType: str = ""  # noqa: N815 - Google's spelling


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: `keys` and `rows` go together; `received` counts quarantined rows too."""

    keys: list[Key]
    rows: list[AnyRow]
    received: int
    quarantined: tuple[str, ...] = ()
    aggregation: str = ""
    digest: bytes = b""
    """Of the prints of all its rows (see `prints`); empty when they could not be told from the bytes."""
    distinct: int = 0
    """How many different prints there are."""
    prints: Collection[bytes] = ()
    """Kept only where the page may be one of several: a megabyte for 20,000 rows."""
    read: Callable[[], Page] | None = None
    """Given in place of keys and rows when the page as it stands is what was known before: reads them all the same."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the keys of one list of dimensions look, and how a row is made of them."""

    keys: Any
    make: Callable[[Any], AnyRow]


_new = tuple.__new__
_ONE = lambda row: _new(DimensionRow, (*row.keys, row.clicks, row.impressions, row.position))  # noqa: E731
_SHAPES: dict[tuple[str, ...], _Shape] = {
    ("page", "query", "country", "device"): _Shape(
        tuple[_Text, str, _Text, _Text],
        lambda row: _new(Row, (*row.keys, row.clicks, row.impressions, row.position)),
    ),
    ("page", "country"): _Shape(
        tuple[_Text, _Text],
        lambda row: _new(Row, (row.keys[0], "", row.keys[1], "", row.clicks, row.impressions, row.position)),
    ),
    ("page", "country", "device"): _Shape(
        tuple[_Text, _Text, _Text],
        lambda row: _new(
            Row, (row.keys[0], "", row.keys[1], row.keys[2], row.clicks, row.impressions, row.position)
        ),
    ),
    (): _Shape((), lambda row: _new(TotalsRow, (row.clicks, row.impressions, row.position))),
    ("query",): _Shape(tuple[str], _ONE),
    **{(name,): _Shape(tuple[_Text], _ONE) for name in ("page", "country", "device", "searchAppearance")},
    ("hour", "page"): _Shape(
        tuple[_Hour, _Text],
        lambda row: HourRow(
            row.keys[0].astimezone(UTC), row.keys[1], row.clicks, row.impressions, row.position
        ),
    ),
}


class PageDecoder:
    """Reads the pages of one list of dimensions."""

    def __init__(self, dimensions: tuple[str, ...]) -> None:
        shape = _SHAPES[dimensions]
        self._dimensions = dimensions
        self._make = shape.make
        most = max_count(dimensions)
        # Subscribed with values at run time, which no type checker can follow.
        page: Any = _Page
        row: Any = _Row if dimensions else _Sum
        self._ints = msgspec.json.Decoder(page[row[shape.keys, Annotated[int, Meta(ge=0, le=most)]]])
        self._doubles = msgspec.json.Decoder(
            page[row[shape.keys, Annotated[float, Meta(ge=0, le=most, multiple_of=1)]]]
        )

    def __call__(self, body: bytes, known: bytes = b"", *, short: int = 0) -> Page:
        """Rows as they are; unread when their digest is the `known` one.

        With fewer than `short` rows it is taken for the only page of its cell, and forgets its prints.

        Raises BadBodyError.
        """
        found = prints_of(body)
        if found is None or not found.prints:
            return self._read(body)
        digest = digest_of_prints(found.prints)
        kept = found.prints if digest == known or found.received >= short else frozenset[bytes]()
        described = partial(replace, digest=digest, distinct=len(found.prints), prints=kept)
        if digest == known:
            unread = Page([], [], found.received, (), found.aggregation)
            return described(unread, read=lambda: described(self._read(body)))
        del found  # decoding takes more
        return described(self._read(body))

    def _read(self, body: bytes) -> Page:
        try:
            page = self._ints.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            try:
                page = self._doubles.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return self._carefully(body)
            for row in page.rows:
                row.clicks, row.impressions = int(row.clicks), int(row.impressions)
        make = self._make
        rows = page.rows
        try:
            made = [make(row) for row in rows]
        except OverflowError:  # an hour at the end of all time
            return self._carefully(body)
        return Page(
            [row.keys for row in rows],
            made,
            len(rows),
            (),
            page.responseAggregationType,
        )

    def _carefully(self, body: bytes) -> Page:
        answer = whole_object(body)
        raw_rows = answer.get("rows", [])
        if not isinstance(raw_rows, list):
            raise BadBodyError("`rows` is no list")
        checked = [check_row(raw, self._dimensions) for raw in raw_rows]
        rows = [row for row in checked if not isinstance(row, str)]
        keys = [self._key(row) for row in rows]
        aggregation = answer.get("responseAggregationType", "")
        return Page(
            keys,
            rows,
            len(raw_rows),
            tuple(row for row in checked if isinstance(row, str)),
            whole_text(aggregation)[:40] if isinstance(aggregation, str) else "",
        )

    def _key(self, row: AnyRow) -> Key:
        """The key as the fast way has it: only the dimensions that were asked for."""
        if isinstance(row, Row):
            return tuple(row[Row._fields.index(name)] for name in self._dimensions)
        return row[:-3]
