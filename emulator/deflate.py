"""Gzip from prepared pieces that can be put together in any order.

A piece is compressed once and ends on a byte border without looking back at other pieces, so an answer is made by
joining bytes: no compression per answer, although its rows stand in another order each time. The checksum of the whole
is computed from those of the pieces (as zlib's crc32_combine does), and the result is one ordinary gzip member, which
every client decodes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_LEVEL = 4
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_POLYNOMIAL = 0xEDB88320


class Piece(NamedTuple):
    """A run of bytes, compressed."""

    deflated: bytes
    length: int
    crc: int


def piece(raw: bytes) -> Piece:
    """Compress some bytes so that anything may stand before and after them."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(raw) + compressor.flush(zlib.Z_FULL_FLUSH)
    return Piece(deflated, len(raw), zlib.crc32(raw))


def gzip_of(pieces: Iterable[Piece]) -> bytes:
    """The gzip file whose content is the pieces one after the other."""
    crc, length, parts = 0, 0, [_HEADER]
    for part in pieces:
        parts.append(part.deflated)
        crc = _shift(crc, part.length) ^ part.crc
        length += part.length
    parts += [_LAST_BLOCK, struct.pack("<II", crc, length & 0xFFFFFFFF)]
    return b"".join(parts)


def plain_of(pieces: Iterable[Piece]) -> bytes:
    """The same without compression, for clients that do not take gzip."""
    return zlib.decompress(b"".join([*(part.deflated for part in pieces), _LAST_BLOCK]), -zlib.MAX_WBITS)


def _shift(crc: int, length: int) -> int:
    """The checksum after `length` zero bytes, linear in the checksum: one matrix per length."""
    shifted = 0
    for row in _matrix(length):
        if crc & 1:
            shifted ^= row
        crc >>= 1
        if not crc:
            break
    return shifted


def _times(matrix: tuple[int, ...], vector: int) -> int:
    result = 0
    for row in matrix:
        if vector & 1:
            result ^= row
        vector >>= 1
    return result


def _square(matrix: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_times(matrix, row) for row in matrix)


@lru_cache(maxsize=64)
def _power(exponent: int) -> tuple[int, ...]:
    """The matrix for 2**exponent zero bytes."""
    if exponent:
        return _square(_power(exponent - 1))
    one_bit = (_POLYNOMIAL, *(1 << bit for bit in range(31)))
    return _square(_square(_square(one_bit)))


@lru_cache(maxsize=65536)
def _matrix(length: int) -> tuple[int, ...]:
    matrix = tuple(1 << bit for bit in range(32))
    for exponent in range(length.bit_length()):
        if length >> exponent & 1:
            power = _power(exponent)
            matrix = tuple(_times(power, row) for row in matrix)
    return matrix
