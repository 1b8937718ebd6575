"""From the bytes of a page to rows, as cheaply as Python can.

msgspec checks and builds in one pass in C; no row is made here until somebody asks for rows. Google declares counts as
doubles, so a second decoder takes whole doubles. A page that neither takes goes, row by row, through `sync.rows`, which
quarantines what follows no rule; a body that is no page at all raises BadBodyError and is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from sync.google.bodies import BadBodyError, whole_object
from sync.google.prints import UNREADABLE, digest_of_prints, prints_of
from sync.plan.cells import AnyRow, DimensionRow, HourRow, Row, TotalsRow
from sync.plan.lazy_rows import Fields, LazyRows
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


class Decoded(Protocol):
    """A row as the decoder leaves it, which compares as a row does."""

    @property
    def clicks(self) -> int: ...
    @property
    def impressions(self) -> int: ...
    @property
    def position(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: `keys` and `decoded` go together; `received` counts quarantined rows too."""

    keys: list[Key]
    decoded: Sequence[Decoded]
    received: int
    quarantined: tuple[str, ...] = ()
    aggregation: str = ""
    digest: bytes = b""
    """Of the prints of all its rows (see `prints`); empty when they could not be told from the bytes."""
    distinct: int = 0
    """How many different prints there are."""
    prints: Collection[int] = ()
    """Kept only where the page may be one of several: a megabyte for 20,000 rows."""
    read: Callable[[], Page] | None = None
    """Given in place of keys and rows when the page as it stands is what was known before: reads them all the same."""
    made: Callable[[Sequence[Any]], Sequence[AnyRow]] = list
    """From decoded rows of this page, or of others of the same dimensions, to rows of their kind."""

    @property
    def rows(self) -> Sequence[AnyRow]:
        return self.made(self.decoded)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the keys of one list of dimensions look, and which of them is which part of a row's key; None: it has none."""

    keys: Any
    kind: type[AnyRow]
    parts: tuple[int | None, ...]

    def made(self, decoded: Sequence[Any]) -> Sequence[AnyRow]:
        def columns() -> Fields:
            keys = list(zip(*[row.keys for row in decoded], strict=True))
            return (
                *([""] * len(decoded) if part is None else keys[part] for part in self.parts),
                [row.clicks for row in decoded],
                [row.impressions for row in decoded],
                [row.position for row in decoded],
            )

        def rows() -> Sequence[AnyRow]:
            return list(map(partial(tuple.__new__, self.kind), zip(*columns(), strict=True)))

        return LazyRows(len(decoded), rows, columns) if decoded else []


_SHAPES: dict[tuple[str, ...], _Shape] = {
    ("page", "query", "country", "device"): _Shape(tuple[_Text, str, _Text, _Text], Row, (0, 1, 2, 3)),
    ("page", "country"): _Shape(tuple[_Text, _Text], Row, (0, None, 1, None)),
    ("page", "country", "device"): _Shape(tuple[_Text, _Text, _Text], Row, (0, None, 1, 2)),
    (): _Shape((), TotalsRow, ()),
    ("query",): _Shape(tuple[str], DimensionRow, (0,)),
    **{
        (name,): _Shape(tuple[_Text], DimensionRow, (0,))
        for name in ("page", "country", "device", "searchAppearance")
    },
    ("hour", "page"): _Shape(tuple[_Hour, _Text], HourRow, (0, 1)),
}


class PageDecoder:
    """Reads the pages of one list of dimensions."""

    def __init__(self, dimensions: tuple[str, ...]) -> None:
        shape = _SHAPES[dimensions]
        self._dimensions = dimensions
        self._made = shape.made
        most = max_count(dimensions)
        # Subscribed with values at run time, which no type checker can follow.
        page: Any = _Page
        row: Any = _Row if dimensions else _Sum
        self._row = row
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
        kept = found.prints if digest == known or found.received >= short else frozenset[int]()
        described = partial(replace, digest=digest, distinct=len(found.prints), prints=kept)
        if digest == known:
            unread = Page([], [], found.received, (), found.aggregation)
            return described(unread, read=lambda: described(self._read(body)))
        del found  # decoding takes more
        return described(self._read(body))

    def _read(self, body: bytes) -> Page:
        try:
            page = self._ints.decode(body)
        except UNREADABLE:
            try:
                page = self._doubles.decode(body)
            except UNREADABLE:
                return self._carefully(body)
            for row in page.rows:
                row.clicks, row.impressions = int(row.clicks), int(row.impressions)
        if self._dimensions[:1] == ("hour",):
            try:
                for row in page.rows:
                    row.keys = (row.keys[0].astimezone(UTC), row.keys[1])
            except OverflowError:  # an hour at the end of all time
                return self._carefully(body)
        return self._page(page.rows, len(page.rows), (), page.responseAggregationType)

    def _carefully(self, body: bytes) -> Page:
        answer = whole_object(body)
        raw_rows = answer.get("rows", [])
        if not isinstance(raw_rows, list):
            raise BadBodyError("`rows` is no list")
        try:
            checked = [check_row(raw, self._dimensions) for raw in raw_rows]
        except RecursionError as error:  # nested so deep that it could be read, but not be written down again
            raise BadBodyError("a row is nested without end") from error
        rows = [
            self._row(keys=self._key(row), clicks=row[-3], impressions=row[-2], position=row[-1])
            for row in checked
            if not isinstance(row, str)
        ]
        aggregation = answer.get("responseAggregationType", "")
        return self._page(
            rows,
            len(raw_rows),
            tuple(row for row in checked if isinstance(row, str)),
            whole_text(aggregation)[:40] if isinstance(aggregation, str) else "",
        )

    def _page(self, rows: list[Any], received: int, quarantined: tuple[str, ...], aggregation: str) -> Page:
        return Page([row.keys for row in rows], rows, received, quarantined, aggregation, made=self._made)

    def _key(self, row: AnyRow) -> Key:
        """The key as the fast way has it: only the dimensions that were asked for."""
        if isinstance(row, Row):
            return tuple(row[Row._fields.index(name)] for name in self._dimensions)
        return row[:-3]
