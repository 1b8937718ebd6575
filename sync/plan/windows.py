"""Which days a run covers. Pure: the slot goes in, Pacific days come out.

Google's days are those of America/Los_Angeles, and 04:00 UTC lies in the evening of the day before, so the window is
counted from the Pacific day of the *slot*: a late launch, or one that crosses midnight, covers what was promised.
Days are calendar days; the two on which the clocks change count like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contract.run_spec import DataState, Window

PACIFIC = ZoneInfo("America/Los_Angeles")

SETTLING_DAYS = 3
"""Days older than this many Pacific days are final when Google does not say where its final data end."""

PROBE_MARGIN_DAYS = 7
"""A final-only window ends some days back; the probe looks this much further, to know its oldest days too."""


KEPT_MONTHS = 16
"""How long Google keeps a day."""

EDGE_DAYS = 3
"""So close to the end of that time a day may be gone already: what is stored of it is left alone."""


@dataclass(frozen=True, slots=True)
class Days:
    """A span of Pacific days, both ends included; empty when `last` lies before `first`."""

    first: date
    last: date

    def newest_first(self) -> list[date]:
        return [self.last - timedelta(days=back) for back in range((self.last - self.first).days + 1)]

    def __len__(self) -> int:
        return max(0, (self.last - self.first).days + 1)


def pacific_day(moment: datetime) -> date:
    """The Pacific calendar day of an aware moment."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone names no Pacific day")
    return moment.astimezone(PACIFIC).date()


def window(slot: datetime, days: int) -> Days:
    """The `days` Pacific days that end with the day of the slot."""
    last = pacific_day(slot)
    return Days(last - timedelta(days=days - 1), last)


def probe_days(slot: datetime, days: int, data_state: DataState) -> Days:
    """The days that one probe asks about."""
    span = window(slot, days)
    margin = PROBE_MARGIN_DAYS if data_state is DataState.FINAL else 0
    return Days(span.first - timedelta(days=margin), span.last)


def first_fresh_day(first_incomplete: date | None, asked: Days, now: datetime) -> date:
    """The first day that Google may still change: what it said, else a guess that errs towards fresh.

    `asked` are the days of the question. An answer from before them says that none of them is final; the running day
    never is.
    """
    today = pacific_day(now)
    if first_incomplete is None:
        return today - timedelta(days=SETTLING_DAYS)
    return max(asked.first, min(first_incomplete, today))


def days_to_fetch(slot: datetime, days: int, data_state: DataState, fresh_from: date) -> Days:
    """The days of one search type: ALL ends with the slot's day, FINAL with the last day that is settled."""
    span = window(slot, days)
    if data_state is DataState.ALL:
        return span
    last = min(span.last, fresh_from - timedelta(days=1))
    return Days(last - timedelta(days=days - 1), last)


def regular(slot: datetime, wanted: Window) -> Days:
    """The days that a run is for: its range when it is a backfill, else the rolling window."""
    if wanted.first_day is None:
        return window(slot, wanted.days)
    today = pacific_day(slot)
    return Days(wanted.first_day, min(wanted.last_day or today, today))


def settled(slot: datetime, wanted: Window, fresh_from: date) -> Days:
    """The days to fetch, once it is known where final data end."""
    if wanted.first_day is None:
        return days_to_fetch(slot, wanted.days, wanted.data_state, fresh_from)
    span = regular(slot, wanted)
    last = span.last if wanted.data_state is DataState.ALL else min(span.last, fresh_from - timedelta(days=1))
    return Days(span.first, last)


def oldest_kept(today: date) -> date:
    """The oldest day that Google still has: the same day of the month, 16 months before, or the last of that month."""
    months = today.year * 12 + today.month - 1 - KEPT_MONTHS
    year, month = divmod(months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(today.day, last))


def next_pacific_midnight(now: datetime) -> datetime:
    """When Google's daily quotas start anew, in UTC."""
    tomorrow = pacific_day(now) + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, tzinfo=PACIFIC).astimezone(UTC)
