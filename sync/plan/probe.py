"""Probe, then fetch: which cells need a request of their own, now that a probe has shown the totals of their days. Pure.

(cell, what the ledger knows of it, the probe's totals, now) -> Fetch(because) | Skip(because). Equal totals do not prove
equal rows, so a cell that Google may still change is read again at least once a day; one that is settled was read once
in its settled state, and is read again only when its totals move.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from sync.plan.cells import PAGE_ROWS, Cell, FetchedCell
from sync.plan.totals import Totals
from sync.plan.windows import EDGE_DAYS, oldest_kept, pacific_day

REREAD_AFTER = timedelta(hours=24)
"""A cell that may still change is read again after this long, and on every new Pacific day."""


class Because(StrEnum):
    """Why a cell is fetched or skipped."""

    NEW = "new"
    """The ledger does not know it."""
    DOUBTED = "doubted"
    """The last answer was not believed, or no totals were remembered with it."""
    TOTALS_DIFFER = "totals differ"
    BECAME_FINAL = "became final"
    DAILY = "daily re-read"
    SETTLED = "final and unchanged"
    UNCHANGED = "read today and unchanged"
    SPLIT_FURTHER = "may be split further"
    """Google's cap hid rows when it was read, and more requests may be spent on reading it in parts now."""
    OUT_OF_REACH = "Google is about to forget it"


@dataclass(frozen=True, slots=True)
class Fetch:
    """The cell is fetched."""

    because: Because


@dataclass(frozen=True, slots=True)
class Skip:
    """The cell stays as it is, without a request."""

    because: Because


class Known(Protocol):
    """What the ledger knows of a cell, as far as it matters here."""

    @property
    def rows(self) -> int: ...

    @property
    def final(self) -> bool: ...

    @property
    def totals(self) -> Totals | None:
        """What the probe showed when the cell was fetched last; None when that answer is not to be relied on."""

    @property
    def fetched_at(self) -> datetime | None: ...

    @property
    def saturated(self) -> bool:
        """Whether Google's cap hides rows of it."""

    @property
    def parts(self) -> int:
        """Into how many parts it was split; 0 when it was not."""

    @property
    def split_requests(self) -> int:
        """How many requests might be spent on its parts when it was fetched last."""


def decide(
    cell: Cell,
    known: Known | None,
    totals: Totals,
    fresh_from: date,
    now: datetime,
    split_requests: int = 0,
) -> Fetch | Skip:
    """`totals` are those of the cell's day now; from the day `fresh_from` on Google may still change its data.

    `split_requests` is what the order allows for the parts of a cell.
    """
    if known is None:
        return Fetch(Because.NEW)
    if cell.day < oldest_kept(pacific_day(now)) + timedelta(days=EDGE_DAYS):
        # An empty answer would be true and mean nothing: what is stored here is all there will ever be.
        return Skip(Because.OUT_OF_REACH)
    if known.totals is None or known.fetched_at is None:
        return Fetch(Because.DOUBTED)
    if known.totals != totals:
        return Fetch(Because.TOTALS_DIFFER)
    if known.saturated and known.split_requests < split_requests:
        return Fetch(Because.SPLIT_FURTHER)
    final = cell.day < fresh_from
    if final and not known.final:
        return Fetch(Because.BECAME_FINAL)
    if final and not _nothing_of_something(known, totals):
        return Skip(Because.SETTLED)
    return Fetch(Because.DAILY) if _is_due(known.fetched_at, now) else Skip(Because.UNCHANGED)


def split_budget(known: Known | None, split_requests: int) -> int:
    """How many requests a cell's parts may cost: what the order allows, and never less than what they cost before.

    Else an order that splits nothing would take away the rows that another one, of the same property, found by splitting.
    """
    return max(split_requests, known.split_requests if known is not None and known.parts else 0)


def remembered(fetched: FetchedCell, totals: Totals) -> Totals | None:
    """What to write beside the cell: the totals, or None when the answer left doubts and the next run shall ask again.

    Doubts are: rows in quarantine, pages that do not fit together, and pages that were full to the last row with nothing
    behind them, which is what a lost page looks like.
    """
    full = not fetched.saturated and len(fetched.rows) > 0 and len(fetched.rows) % PAGE_ROWS == 0
    return None if fetched.quarantined or not fetched.consistent or full else totals


def _nothing_of_something(known: Known, totals: Totals) -> bool:
    """No row although there were impressions: all queries anonymised, or an empty answer that was not true."""
    return known.rows == 0 and totals.impressions > 0


def _is_due(fetched_at: datetime, now: datetime) -> bool:
    return now - fetched_at >= REREAD_AFTER or pacific_day(fetched_at) != pacific_day(now)
