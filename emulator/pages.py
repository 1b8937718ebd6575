"""Prepared pages: the rows of one page serialized and compressed once, served in another order every time.

A page is cut into chunks of rows. Each chunk is kept in a few variants that differ in the order of tied rows; chunks
that lie wholly within one tie change places. No row leaves the page it belongs to, so paging is consistent; Google
promises less, and the fault `moved-ties` shows it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec

from emulator.deflate import Piece, gzip_of, piece, plain_of
from emulator.report import Report, ReportRow

CHUNK_ROWS = 512
SMALL_PAGE = 1024
VARIANTS_SMALL = 6
VARIANTS_LARGE = 2
ROW_FIELDS = ("keys", "clicks", "impressions", "ctr", "position")
_COMMA = piece(b",")
_encode = msgspec.json.Encoder().encode


def row_json(row: ReportRow, fields: frozenset[str] | None = None) -> dict[str, Any]:
    """A row as Google writes it: no keys without dimensions, no position where there is none."""
    shown: dict[str, Any] = {}
    if row.keys:
        shown["keys"] = row.keys
    shown["clicks"] = row.clicks
    shown["impressions"] = row.impressions
    shown["ctr"] = row.ctr
    if row.position is not None:
        shown["position"] = row.position
    return shown if fields is None else {name: value for name, value in shown.items() if name in fields}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows. `tie` is set when all of them tie."""

    tie: object
    variants: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be served. `rows` is its number of rows, `weight` its size in memory."""

    rows: int
    head: Piece
    chunks: tuple[Chunk, ...]
    tail: Piece
    weight: int

    def pieces(self, rng: random.Random) -> list[Piece]:
        """One answer: the chunks in an order drawn from `rng`."""
        ordered: list[Chunk] = []
        for tie, group in groupby(self.chunks, key=lambda chunk: chunk.tie):
            run = list(group)
            if tie is not None:
                rng.shuffle(run)
            ordered += run
        pieces = [self.head]
        for index, chunk in enumerate(ordered):
            if index:
                pieces.append(_COMMA)
            pieces.append(rng.choice(chunk.variants))
        return [*pieces, self.tail]

    def body(self, rng: random.Random, *, gzip: bool) -> bytes:
        pieces = self.pieces(rng)
        return gzip_of(pieces) if gzip else plain_of(pieces)


def prepare(
    report: Report,
    rows: Sequence[ReportRow],
    extras: dict[str, Any],
    fields: frozenset[str] | None,
    rng: random.Random,
) -> Page:
    """Make a page of some rows of a report. `extras` are the members beside `rows`."""
    chunks = [
        _chunk(rows[start : start + CHUNK_ROWS], report.tie, len(rows), fields, rng)
        for start in range(0, len(rows), CHUNK_ROWS)
    ]
    outside = _encode(extras)
    if chunks:
        separator = b"," if extras else b""
        head, tail = piece(b'{"rows":['), piece(b"]" + separator + outside[1:])
    else:
        head, tail = piece(outside), piece(b"")
    weight = sum(len(variant.deflated) + 100 for chunk in chunks for variant in chunk.variants) + 1000
    return Page(len(rows), head, tuple(chunks), tail, weight)


def _chunk(
    rows: Sequence[ReportRow],
    tie_of: Callable[[ReportRow], object],
    page_rows: int,
    fields: frozenset[str] | None,
    rng: random.Random,
) -> Chunk:
    count = VARIANTS_SMALL if page_rows <= SMALL_PAGE else VARIANTS_LARGE
    variants = []
    for _ in range(count):
        shuffled = shuffle_ties(rows, tie_of, rng)
        variants.append(piece(_encode([row_json(row, fields) for row in shuffled])[1:-1]))
    first = tie_of(rows[0])
    return Chunk(first if tie_of(rows[-1]) == first else None, tuple(variants))


def shuffle_ties(
    rows: Sequence[ReportRow], tie_of: Callable[[ReportRow], object], rng: random.Random
) -> list[ReportRow]:
    """The same rows in the same order, but tied ones among themselves in a random one."""
    shuffled: list[ReportRow] = []
    for _, group in groupby(rows, key=tie_of):
        run = list(group)
        rng.shuffle(run)
        shuffled += run
    return shuffled
