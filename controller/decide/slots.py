"""Slots: which are due, after a second or after a month of downtime, counted without walking them (catch-up `Latest`).

The real schedule is asked, never an estimate from its spacing, so irregular schedules keep their catch-up. The newest
due slot stands for all older ones: the sync extends its window, so data does not depend on how many are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decide.cron import COUNT_HORIZON, Cron


@dataclass(frozen=True, slots=True)
class Due:
    """Slots in (since, now]. Either `newest` is to run and `coalesced` older ones go with it, or `missed` are too old."""

    newest: datetime | None = None
    coalesced: int = 0
    missed: int = 0
    missed_until: datetime | None = None
    """The newest of the missed."""
    at_least: bool = False
    """The counts are lower bounds: the gap is longer than what is counted."""

    def counted(self, number: int) -> str:
        return f"{'at least ' if self.at_least else ''}{number}"


def due(cron: Cron, since: datetime, now: datetime, max_age: timedelta) -> Due:
    """What is due now, given that everything until `since` is decided. A slot exactly at `now` is due."""
    newest = cron.last_at_or_before(now)
    if newest is None or newest <= since:
        return Due()
    number = cron.count_between(since, newest)
    at_least = newest - since > COUNT_HORIZON
    if now - newest > max_age:
        return Due(missed=number, missed_until=newest, at_least=at_least)
    return Due(newest=newest, coalesced=number - 1, at_least=at_least)
