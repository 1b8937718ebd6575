"""Which days a run covers. Pure: the slot goes in, Pacific days come out.

Google's days are those of America/Los_Angeles, and 04:00 UTC lies in the evening of the day before, so the window is
counted from the Pacific day of the *slot*: a late launch, or one that crosses midnight, covers what was promised.
Days are calendar days; the two on which the clocks change count like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contract.run_spec import DataState

PACIFIC = ZoneInfo("America/Los_Angeles")

SETTLING_DAYS = 3
"""Days older than this many Pacific days are final when Google does not say where its final data end."""

PROBE_MARGIN_DAYS = 7
"""A final-only window ends some days back; the probe looks this much further, to know its oldest days too."""


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


def next_pacific_midnight(now: datetime) -> datetime:
    """When Google's daily quotas start anew, in UTC."""
    tomorrow = pacific_day(now) + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, tzinfo=PACIFIC).astimezone(UTC)
