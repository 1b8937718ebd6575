"""In which order properties are taken, and how much room their cells need in memory. Pure.

Oldest-synced first, so that nobody waits for ever; small before big, so that many are fresh soon; by name, so that the
order is the same every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.plan.cells import CAP_ROWS
from sync.plan.probe import Known
from sync.plan.totals import Totals

ROWS_PER_IMPRESSION = 3
"""A row has an impression at least, but sums by page were seen at three times the sums by property."""

SMALL_CELL_ROWS = 500
GROWTH = 1.25
"""A day may well have so many times the rows of the version before."""

SPREAD = 1.5
"""Days of one property differ by about as much in their rows for each impression."""

NEVER_HOURS = 10**9


@dataclass(frozen=True, slots=True)
class Synced:
    """When a property was looked at last, and how many rows its days have that the ledger knows."""

    at: datetime
    rows: int = 0


Key = tuple[int, int, str]


def in_order(properties: Sequence[str], synced: Mapping[str, Synced], now: datetime) -> list[tuple[Key, str]]:
    """The properties with their keys, the first to sync first.

    Ages count in whole hours: those of one run differ by seconds, and size shall decide among them. A property that was
    never synced is the oldest.
    """
    return sorted((_key(name, synced.get(name), now), name) for name in properties)


def _key(name: str, synced: Synced | None, now: datetime) -> Key:
    if synced is None:
        return -NEVER_HOURS, 0, name
    return -int((now - synced.at).total_seconds() // 3600), synced.rows, name


def expected_rows(known: Known | None, totals: Totals, split_requests: int = 0) -> int:
    """How many rows a cell may have, on the safe side: from what it had, else from the impressions of its day.

    Its parts are in memory together, each below Google's cap, and come in halves: three of the `split_requests` that may be
    spent bring two parts at least.
    """
    most = CAP_ROWS * (1 + split_requests * 2 // 3)
    if known is not None and known.rows:
        guess = int(known.rows * GROWTH)
    else:
        guess = int(min(totals.impressions, most) * ROWS_PER_IMPRESSION)
    return max(SMALL_CELL_ROWS, min(most, guess))


def likely_rows(expected: int, impressions: float, density: float | None) -> int:
    """The same once other cells of its kind are known: `density` is the most rows that one had for each impression."""
    if density is None:
        return expected
    return min(expected, max(SMALL_CELL_ROWS, int(impressions * density * SPREAD)))
