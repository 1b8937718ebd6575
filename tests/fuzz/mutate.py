"""Mutations without an engine: seeded, quick, and enough for an ordinary test to go a little off the beaten path."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.fuzz.seeds import WORDS


def mutated(seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """A seed after one to six changes."""
    body = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 6)):
        draw.choice(CHANGES)(body, seeds, draw)
    return bytes(body)


def _flip(body: bytearray, _seeds: Sequence[bytes], draw: random.Random) -> None:
    if body:
        body[draw.randrange(len(body))] = draw.randrange(256)


def _cut(body: bytearray, _seeds: Sequence[bytes], draw: random.Random) -> None:
    start = draw.randint(0, len(body))
    del body[start : start + draw.randint(1, 8)]


def _word(body: bytearray, _seeds: Sequence[bytes], draw: random.Random) -> None:
    at = draw.randint(0, len(body))
    body[at:at] = draw.choice(WORDS)


def _replace(body: bytearray, _seeds: Sequence[bytes], draw: random.Random) -> None:
    """One word in the place of something between two separators."""
    ends = [n for n, each in enumerate(body) if each in b":,[]{}"]
    if len(ends) > 1:
        n = draw.randrange(len(ends) - 1)
        body[ends[n] + 1 : ends[n + 1]] = draw.choice(WORDS)


def _splice(body: bytearray, seeds: Sequence[bytes], draw: random.Random) -> None:
    other = draw.choice(seeds)
    at, start = draw.randint(0, len(body)), draw.randint(0, len(other))
    body[at:] = other[start:]


CHANGES: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip, _cut, _word, _replace, _replace, _splice,
)  # fmt: skip
