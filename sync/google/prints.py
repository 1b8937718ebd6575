"""Whether an answer says what was stored before, told from its bytes: no row needs to be decoded to know that.

Of each row of Google's JSON, as it stands, 128 bits of XXH3 are taken, its *print*. Google gives rows with equal clicks in
another order every time, so the prints of a cell are summed up, which knows no order. Equal digests mean equal rows, but
for chance (one in 10^29 for a cell of 50,000 rows). The reverse is not promised: if Google spells a number differently one day, the digest
differs, the rows are compared in the database, and none is written. XXH3 resists chance and no ill will, and need not: who
could choose a whole row to look like an older one, its clicks included, would hide that row's change until the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import NamedTuple

import msgspec
from xxhash import xxh3_128_intdigest

from sync.plan.lazy_rows import LazyRows

DIGEST_BYTES = 16
READING = b"rows 3"
"""Changes with the way in which rows are read and stored, so that cells stored by an older way are written anew."""


class _Raw(msgspec.Struct, gc=False):
    rows: list[msgspec.Raw] = []  # msgspec copies an empty list for each instance
    responseAggregationType: str = ""  # noqa: N815 - Google's spelling


_decoder = msgspec.json.Decoder(_Raw)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that it cannot take; the last one for junk that is nested without end."""


class Prints(NamedTuple):
    """The distinct prints of a page, how many rows it has, and the aggregation it names."""

    prints: frozenset[int]
    received: int
    aggregation: str


def prints_of(body: bytes) -> Prints | None:
    """None when the body is not plainly a page."""
    try:
        page = _decoder.decode(body)
    except UNREADABLE:
        return None
    return Prints(frozenset(map(xxh3_128_intdigest, page.rows)), len(page.rows), page.responseAggregationType)


def digest_of_prints(prints: Collection[int]) -> bytes:
    """16 bytes over distinct prints, whatever their order."""
    said = f"{len(prints)} {sum(prints)}".encode()
    return hashlib.blake2b(said, digest_size=DIGEST_BYTES, person=READING).digest()


class UnreadRows(LazyRows):
    """The rows of an answer that says nothing new: decoded only if somebody looks."""
