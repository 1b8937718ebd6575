"""Whether an answer says what was stored before, told from its bytes: no row needs to be decoded to know that.

Of each row of Google's JSON, as it stands, 128 bits of XXH3 are taken, its *print*. Google gives rows with equal clicks in
another order every time, so the prints are sorted before they are hashed. Equal digests mean equal rows, but for chance (one
in 10^29 for a cell of 50,000 rows). The reverse is not promised: if Google spells a number differently one day, the digest
differs, the rows are compared in the database, and none is written. XXH3 resists chance and no ill will, and need not: who
could choose a whole row to look like an older one, its clicks included, would hide that row's change until the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, overload

import msgspec
from xxhash import xxh3_128_digest

from sync.plan.cells import AnyRow

DIGEST_BYTES = 16
READING = b"rows 2"
"""Changes with the way in which rows are read and stored, so that cells stored by an older way are written anew."""


class _Raw(msgspec.Struct, gc=False):
    rows: list[msgspec.Raw] = []  # msgspec copies an empty list for each instance
    responseAggregationType: str = ""  # noqa: N815 - Google's spelling


_decoder = msgspec.json.Decoder(_Raw)


class Prints(NamedTuple):
    """The distinct prints of a page, how many rows it has, and the aggregation it names."""

    prints: frozenset[bytes]
    received: int
    aggregation: str


def prints_of(body: bytes) -> Prints | None:
    """None when the body is not plainly a page."""
    try:
        page = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Prints(frozenset(map(xxh3_128_digest, page.rows)), len(page.rows), page.responseAggregationType)


def digest_of_prints(prints: Collection[bytes]) -> bytes:
    """16 bytes over distinct prints, whatever their order."""
    joined = b"".join(sorted(prints))
    return hashlib.blake2b(joined, digest_size=DIGEST_BYTES, person=READING).digest()


class UnreadRows(Sequence[AnyRow]):
    """The rows of an answer that says nothing new: their number is known, they are decoded only if somebody looks."""

    def __init__(self, count: int, read: Callable[[], Sequence[AnyRow]]) -> None:
        self._count, self._read = count, read
        self._rows: Sequence[AnyRow] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self._looked())

    @overload
    def __getitem__(self, index: int) -> AnyRow: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyRow]: ...

    def __getitem__(self, index: int | slice) -> AnyRow | Sequence[AnyRow]:
        return self._looked()[index]

    def _looked(self) -> Sequence[AnyRow]:
        if self._rows is None:
            self._rows = self._read()
        return self._rows
