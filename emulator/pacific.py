"""Days as Search Console counts them, and how settled a day is.

Google's calendar is `America/Los_Angeles`: a day begins and ends at Pacific midnight, whatever the caller's clock says.
A young day is shown with fresh data that is restated later; `stage_of` names the state of one day as seen at one
moment. The data set takes that name as an argument, so that it stays a pure function of its inputs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
HOURLY_DAYS = 10
"""Hourly data reaches back about this many days."""


class Stage(StrEnum):
    """How far Google is with a day."""

    PARTIAL = "partial"
    """The day is still running: rows are missing, the numbers are low."""
    FRESH = "fresh"
    """The day is over, but its rows will still vanish, change and appear."""
    FINAL = "final"
    """Nothing changes any more."""


def pacific_day(moment: datetime) -> date:
    """The Pacific calendar day of a moment."""
    return moment.astimezone(PACIFIC).date()


def stage_of(day: date, moment: datetime, fresh_days: int) -> Stage:
    """The stage of a day that is not in the future."""
    age = (pacific_day(moment) - day).days
    if age >= fresh_days:
        return Stage.FINAL
    return Stage.PARTIAL if age == 0 else Stage.FRESH


def first_incomplete_day(moment: datetime, fresh_days: int) -> date | None:
    """The oldest day that is not final; None when every day is."""
    return pacific_day(moment) - timedelta(days=fresh_days - 1) if fresh_days else None


def oldest_day(moment: datetime, months: int) -> date:
    """The oldest day still kept: retention is counted in calendar months."""
    today = pacific_day(moment)
    index = today.year * 12 + today.month - 1 - months
    year, month = index // 12, index % 12 + 1
    for day in range(today.day, 0, -1):
        try:
            return date(year, month, day)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")


def hours_of(day: date) -> list[str]:
    """The hours of a Pacific day as Google writes them; 23 or 25 of them when the clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)
    hours = (start + timedelta(hours=n) for n in range(26))
    local = (hour.astimezone(PACIFIC) for hour in hours)
    return [hour.isoformat(timespec="seconds") for hour in local if hour.date() == day]


def hour_of(moment: datetime) -> str:
    """The Pacific hour of a moment, in the spelling of `hours_of`."""
    local = moment.astimezone(PACIFIC)
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="seconds")
