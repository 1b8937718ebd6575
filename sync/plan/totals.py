"""Clicks and impressions of one property, search type and day, as a probe showed them. Pure.

They stand beside a cell in the ledger, so that the next run can compare what Google says now with what it said when
the cell was fetched.
"""

from __future__ import annotations

from typing import NamedTuple


class Totals(NamedTuple):
    """Sums over a whole day, anonymised queries included; compared for equality, never computed with."""

    clicks: float = 0.0
    impressions: float = 0.0
