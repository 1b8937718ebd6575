"""What makes two versions of a cell equal: a digest over its sorted rows, and hashes that stand for texts.

A digest that equals the ledger's says that nothing has to be written. Both are of the *original* text: what Postgres
cannot hold is replaced visibly when stored, but never made equal to something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from sync.plan.cells import AnyRow

R = TypeVar("R", bound=AnyRow)

DIGEST_BYTES = 16
TEXT_LIMIT = 65_536
"""Characters of a page or query that are kept; a hash over all of them still tells texts apart."""
CODE_CHARACTERS = 32
NUL_SHOWN_AS = "\u2400"
SURROGATE_SHOWN_AS = "\ufffd"


def in_key_order(rows: Iterable[R]) -> list[R]:
    """Sorted by the key, which is distinct, so metrics are never compared."""
    return sorted(rows, key=_key)


def digest_of(rows: Sequence[AnyRow]) -> bytes:
    """16 bytes over rows in key order."""
    try:
        encoded = msgspec.msgpack.encode(rows)
    except UnicodeEncodeError:
        # Lone surrogates: rare enough for the slow way.
        encoded = repr([tuple(row) for row in rows]).encode("ascii", "backslashreplace")
    return hashlib.blake2b(encoded, digest_size=DIGEST_BYTES).digest()


def hash_of(text: str) -> bytes:
    """16 bytes that stand for a text of any length and content."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def storable(text: str) -> str:
    """The text as Postgres can hold it: NUL and lone surrogates are replaced by visible signs, the endless is cut."""
    if len(text) > TEXT_LIMIT:
        text = text[:TEXT_LIMIT]
    if "\0" in text:
        text = text.replace("\0", NUL_SHOWN_AS)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(SURROGATE_SHOWN_AS if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def as_code(code: str) -> str:
    """The code itself; what is no code at all is cut and told apart by its hash."""
    if len(code) <= CODE_CHARACTERS and storable(code) == code:
        return code
    return f"{storable(code)[:CODE_CHARACTERS]}~{hash_of(code).hex()[:16]}"


def _key(row: AnyRow) -> tuple[Any, ...]:
    return row[:-3]
