"""From pages to a whole cell: until an empty page or Google's cap, without a row lost or doubled.

The order among rows with equal clicks changes from answer to answer, so a group of ties that lies across a page border
can show a row twice and hide another. Every rank is filled once per answer, hence: as many distinct rows as ranks means
nothing is missing. When there are fewer, answers that overlap the border are asked for (one that holds the whole group
of ties mends it at once), until the count is right or a bound is reached; then the cell is kept but not final.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.errors import BadAnswer
from sync.google.answers import Decoded, Key, Page
from sync.google.prints import UnreadRows, digest_of_prints
from sync.plan.cells import CAP_ROWS, PAGE_ROWS, AnyRow

MENDING_REQUESTS = 12

STALE_PAGES = 3
NO_COINCIDENCE_ROWS = 100
"""A page that brings nothing new means that the start row is ignored. Moved ties can look alike on a page of a few rows,
so a small one must come three times in a row."""

Ask = Callable[[int, int], Page]
"""Asks for a page: (start row, row limit)."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Distinct rows of a cell. `missing` ranks stayed unfilled, `conflicts` keys came with different numbers."""

    rows: Sequence[AnyRow]
    quarantined: tuple[str, ...]
    saturated: bool
    aggregation: str
    pages: int
    duplicates: int
    conflicts: int
    missing: int
    digest: bytes = b""
    """Of what the answers said, row by row; empty when that is not known of every row, or not one whole."""
    parts: int = 0
    """Into how many parts a cell at the cap was split."""

    @property
    def consistent(self) -> bool:
        return not self.conflicts and not self.missing


@dataclass(slots=True)
class _Pass:
    """What one walk through the pages has brought so far."""

    rows: dict[Key, Decoded] = field(default_factory=dict)
    made: Callable[[Sequence[Any]], Sequence[AnyRow]] = list
    quarantined: dict[str, None] = field(default_factory=dict)
    aggregation: str = ""
    pages: int = 0
    received: int = 0
    ranks: int = 0
    """Distinct rows that the walk through the pages promised: what `rows` must reach."""
    back: int = 0
    """Rows of the last page that the next question asks for again, since they may have had no rank of their own."""
    duplicates: int = 0
    conflicts: int = 0
    saturated: bool = False
    prints: set[int] = field(default_factory=set)
    single: Page | None = None
    """The page that all rows came from, as long as there is only one."""
    ties_at: list[int] = field(default_factory=list)
    """For each border between pages, the rank at which the group of ties before it begins."""

    def take(self, page: Page) -> tuple[int, int]:
        """Merge a page; the number of its distinct rows, and of those that were new."""
        self.pages += 1
        self.made = page.made
        self.aggregation = page.aggregation or self.aggregation
        self.quarantined.update(dict.fromkeys(page.quarantined))
        self.single = page if not self.rows and not self.prints else None
        self.prints.update(page.prints)
        fresh = dict(zip(page.keys, page.decoded, strict=True))
        if len(fresh) < len(page.decoded):
            self.conflicts += sum(fresh[key] != row for key, row in zip(page.keys, page.decoded, strict=True))
        before = len(self.rows)
        if before == 0:
            self.rows = fresh
            return len(fresh), len(fresh)
        merged = self.rows | fresh
        new = len(merged) - before
        if new < len(fresh):
            self.conflicts += sum(self.rows.get(key, row) != row for key, row in fresh.items())
        self.rows = merged
        return len(fresh), new


def gather(ask: Ask, *, expect_rows: bool = False) -> Gathered:
    """Every row of a cell.

    Raises BadAnswer when the server does not page, and whatever `ask` raises.
    """
    first = ask(0, PAGE_ROWS)
    answers = deque([first])
    # A row that came twice may have no rank of its own: then the walk says where to go on, and another may lie there.
    if first.read is not None and first.distinct == first.received:
        answers.append(ask(first.received, PAGE_ROWS))
        if not answers[-1].received:
            return _known_before(first, first.read)
    answers = deque(_read(page) for page in answers)

    def read(start: int, limit: int) -> Page:
        return _read(ask(start, limit))

    walked = _walk(lambda start, limit: answers.popleft() if answers else read(start, limit))
    if walked.received == 0 and expect_rows:
        again = _walk(read)
        again.pages += walked.pages
        walked = again
    if walked.conflicts:
        # The day was restated while it was read: a cell must come from one state, so it is read again, once.
        again = _walk(read)
        again.pages += walked.pages
        walked = again
    _mend(walked, read)
    return Gathered(
        rows=walked.made(list(walked.rows.values())),
        quarantined=tuple(walked.quarantined),
        saturated=walked.saturated,
        aggregation=walked.aggregation,
        pages=walked.pages,
        duplicates=walked.duplicates,
        conflicts=walked.conflicts,
        missing=max(0, walked.ranks - len(walked.rows)),
        digest=_digest(walked),
    )


def _read(page: Page) -> Page:
    """With its rows: only of a first answer is it enough to know that nothing is new in it."""
    return page if page.read is None else page.read()


def _known_before(page: Page, read: Callable[[], Page]) -> Gathered:
    """The cell is this one page, and the page is what was stored."""
    return Gathered(
        rows=UnreadRows(page.distinct, lambda: _distinct(read())),
        quarantined=(),
        saturated=False,
        aggregation=page.aggregation,
        pages=2,
        duplicates=0,
        conflicts=0,
        missing=0,
        digest=page.digest,
    )


def _distinct(page: Page) -> Sequence[AnyRow]:
    return page.made(list(dict(zip(page.keys, page.decoded, strict=True)).values()))


def _digest(walked: _Pass) -> bytes:
    """One print for each row and no other: else a row is missing, came in two versions, or was read with care."""
    if walked.quarantined or len(walked.rows) != walked.ranks:
        return b""
    if walked.single is not None:
        return walked.single.digest if walked.single.distinct == len(walked.rows) else b""
    return digest_of_prints(walked.prints) if len(walked.prints) == len(walked.rows) else b""


def _walk(ask: Ask) -> _Pass:
    """Page after page until one is empty or the cap is reached; a short page is no end (it once was not the last)."""
    walked = _Pass()
    stale = 0
    while True:
        page = ask(walked.received, PAGE_ROWS)
        if page.received == 0:
            walked.pages += 1
            walked.aggregation = page.aggregation or walked.aggregation
            return walked
        known = len(walked.quarantined)
        start = walked.received
        distinct, new = walked.take(page)
        # What is known again because the last step went back a little says nothing about rows that are missing.
        explained = distinct - new if distinct - new <= walked.back else 0
        idle = new == 0 and len(walked.quarantined) == known
        stale = (
            stale + 1 if idle and not (explained and distinct + len(page.quarantined) == page.received) else 0
        )
        if stale >= STALE_PAGES or (stale and distinct >= NO_COINCIDENCE_ROWS):
            raise BadAnswer(
                "Google's answer to a later page brought nothing new: the start row seems to be ignored."
            )
        step = _step(page, distinct, new)
        walked.received += step
        walked.back = max(0, page.received - step)
        walked.ranks += distinct - explained
        walked.duplicates += page.received - len(page.quarantined) - new - explained
        if walked.received >= CAP_ROWS:
            walked.saturated = True
            return walked
        walked.ties_at.append(start + _ties_begin(page.decoded))


def _step(page: Page, distinct: int, new: int) -> int:
    """Ranks to go on by.

    A row that stands twice in an answer has one of them, and one that comes on top of all that was asked for and is
    known already has none: counting those would step over others.
    """
    ranks = new if page.received > PAGE_ROWS else distinct
    return max(1, ranks + len(page.quarantined))


def _mend(walked: _Pass, ask: Ask) -> None:
    for start in _mending_starts(walked):
        if walked.conflicts or len(walked.rows) >= walked.ranks:
            return  # whole, or restated meanwhile: then no question brings the old state back
        page = ask(start, PAGE_ROWS)
        if page.received:
            walked.take(page)
        else:
            walked.pages += 1


def _mending_starts(walked: _Pass) -> Iterator[int]:
    """Where to ask again: at each torn group of ties, at the last full page, then all over in overlapping steps."""
    tail = max(0, walked.received - PAGE_ROWS)
    borders = walked.ties_at if walked.saturated else walked.ties_at[:-1]
    distinct = list(dict.fromkeys([*borders, tail, tail // 2, 0]))
    for number in range(MENDING_REQUESTS):
        yield distinct[number % len(distinct)]


def _ties_begin(rows: Sequence[Decoded]) -> int:
    """The index at which the last group of rows with equal clicks begins."""
    index = len(rows)
    while index > 1 and rows[index - 2].clicks == rows[-1].clicks:
        index -= 1
    return max(0, index - 1)
