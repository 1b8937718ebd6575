"""How far back rows are kept. Pure: today and the order go in, the first month that stays comes out."""

from __future__ import annotations

from datetime import date


def first_month_kept(today: date, months: int, first_day_synced: date) -> date:
    """The first day of the oldest month that stays: `months` whole months before the present one.

    A month that this run still syncs is never given up, however short the retention.
    """
    index = today.year * 12 + today.month - 1 - months
    return min(date(index // 12, index % 12 + 1, 1), first_day_synced.replace(day=1))
