"""Cron: the instants at which a schedule fires, in a time zone, across clock changes.

cronsim reads the expression and says which days match; it is never asked about time zones, where it loses slots or does
not return. Everything else is ours and happens in two plain worlds: UTC, and *wall* time, as on a clock in that zone, in which
an expression means something (a wall time is the instant plus the zone's offset). Between them stands Debian cron's rule:

- A schedule at fixed times (neither minute nor hour covers all its values or starts with `*`) runs exactly once for each
  wall time it names: in a gap at the first instant after it, in an overlap at the first of the two.
- A wildcard schedule follows real time: it fires at every instant whose wall time matches.

Work is bounded: days are stepped, never minutes, and a year of searching costs well under a millisecond.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_LENGTH = 256
COUNT_HORIZON = timedelta(days=3660)
"""How far back slots are counted one by one; beyond it a count is a lower bound."""

_ALLOWED = (
    "use five fields (minute hour day-of-month month day-of-week) such as '0 4 * * *', or one of "
    "@hourly, @daily, @weekly, @monthly, @yearly"
)
_FIELDS = (
    "minute 0-59",
    "hour 0-23",
    "day-of-month 1-31",
    "month 1-12 or JAN-DEC",
    "day-of-week 0-7 or SUN-SAT",
)
_VALUE = r"(?:\d{1,2}|[A-Z]{3})"
_TERM = re.compile(rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/\d{{1,3}})?", re.ASCII)
_SINGLE = re.compile(r"^([0-9A-Z]+)-([0-9A-Z]+)/\d+$")
_NOT_ZONES = frozenset({"localtime", "Factory", "posixrules"})
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SEARCH_DAYS = 366 * 41
"""29 February on one weekday comes at least every 40 years."""


class CronError(ValueError):
    """The expression or the time zone cannot be used; the message says what is allowed."""


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES


def zone_of(name: str) -> ZoneInfo:
    """Raises CronError for anything but an IANA name."""
    if name not in _zones():
        raise CronError(
            f"time zone '{name[:64]}' is unknown; use an IANA name such as 'Europe/Berlin' or 'Etc/UTC'"
        )
    return ZoneInfo(name)


def _fields_of(expression: str) -> list[str]:
    text = expression.strip()
    shown = text[:64]
    if len(text) > MAX_LENGTH:
        raise CronError(f"`schedule` has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    if text.upper().startswith(("TZ=", "CRON_TZ=")):
        raise CronError(f"`schedule` '{shown}' must not carry a time zone; set `timeZone` instead")
    if text.startswith("@"):
        if text not in MACROS:
            raise CronError(f"`schedule` '{shown}' is not known; {_ALLOWED}")
        text = MACROS[text]
    fields = text.upper().split()
    if len(fields) != len(_FIELDS):
        more = " (seconds and years are not supported)" if len(fields) > len(_FIELDS) else ""
        raise CronError(f"`schedule` '{shown}' has {len(fields)} fields{more}; {_ALLOWED}")
    for index, (text_of_field, allowed) in enumerate(zip(fields, _FIELDS, strict=True)):
        terms = text_of_field.split(",")
        if not all(_TERM.fullmatch(term) for term in terms):
            raise CronError(
                f"`schedule` '{shown}': '{text_of_field[:32]}' is not a valid {allowed.split()[0]}; "
                f"allowed are {allowed}, '*', ranges 'a-b', steps '*/n' and lists 'a,b'"
            )
        fields[index] = ",".join(_plain(term) for term in terms)
    return fields


def _plain(term: str) -> str:
    """A range of one value stays one value, also with a step (cronsim would read 5-5/10 as 5/10)."""
    single = _SINGLE.match(term)
    return single[1] if single and single[1] == single[2] else term


@dataclass(frozen=True, slots=True, eq=False)
class Cron:
    """One schedule in one time zone. Slots are aware datetimes in UTC, on whole minutes."""

    expression: str
    zone: ZoneInfo
    follows_real_time: bool
    _minutes: tuple[int, ...] = field(repr=False)
    _hours: tuple[int, ...] = field(repr=False)
    _calendar: CronSim = field(repr=False)

    @classmethod
    def parse(cls, expression: str, zone: str) -> Cron:
        """Raises CronError saying what is allowed."""
        return _parse(expression, zone)

    def next_after(self, moment: datetime) -> datetime:
        """The first slot strictly after the moment."""
        if self.follows_real_time:
            return self._next_real(moment)
        wall = _reached(moment, self.zone)
        while True:
            wall = self._next_wall(wall)
            slot = _first_instant(wall, self.zone)
            if slot > moment:
                return slot

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        """The newest slot at or before the moment; None when there was none in about 40 years."""
        if self.follows_real_time:
            return self._last_real(moment)
        wall = self._last_wall(_reached(moment, self.zone) + _MINUTE)
        while wall is not None:
            slot = _first_instant(wall, self.zone)
            if slot <= moment:
                return slot
            wall = self._last_wall(wall)
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        """How many slots lie in (after, until]; exact within COUNT_HORIZON before `until`, without listing them."""
        after = max(after, until - COUNT_HORIZON)
        if until <= after:
            return 0
        pieces = list(_pieces(after, until, self.zone))
        if self.follows_real_time:
            return sum(self._count_walls(low + offset, high + offset) for low, high, offset in pieces)
        total = self._count_walls(_reached(after, self.zone), _reached(until, self.zone))
        for (_, high, before), (low, _, offset) in pairwise(pieces):
            # In a gap every wall time, and the one at its end, is the same instant: count it once.
            if offset > before:
                total -= max(0, self._count_walls(high + before, low + _MINUTE + offset) - 1)
        return total

    def minutes_of_day(self) -> list[int]:
        """At which minutes after midnight it fires on a day that matches, in order."""
        return [60 * hour + minute for hour in self._hours for minute in self._minutes]

    def fires_on(self, day: date) -> bool:
        return self._matches(day)

    def _next_real(self, moment: datetime) -> datetime:
        offset = _offset(moment, self.zone)
        wall = moment + offset
        while True:
            slot = self._next_wall(wall) - offset
            change = _first_change(moment, slot, self.zone)
            if change is None:
                return slot
            moment, offset = change, _offset(change, self.zone)
            wall = change - _MINUTE + offset

    def _last_real(self, moment: datetime) -> datetime | None:
        offset = _offset(moment, self.zone)
        while wall := self._last_wall(moment + offset + _MINUTE):
            slot = wall - offset
            change = _last_change(slot, moment, self.zone)
            if change is None:
                return slot
            moment = change - _MINUTE
            offset = _offset(moment, self.zone)
        return None

    def _matches(self, day: date) -> bool:
        return day.month in self._calendar.months and bool(self._calendar.match_day(day))

    def _next_wall(self, wall: datetime) -> datetime:
        """The first matching wall time strictly after `wall`."""
        day = wall.date()
        if self._matches(day):
            at = bisect_left(self._hours, wall.hour)
            if at < len(self._hours) and self._hours[at] == wall.hour:
                minute = bisect_right(self._minutes, wall.minute)
                if minute < len(self._minutes):
                    return datetime.combine(day, time(wall.hour, self._minutes[minute]), wall.tzinfo)
                at += 1
            if at < len(self._hours):
                return datetime.combine(day, time(self._hours[at], self._minutes[0]), wall.tzinfo)
        day += _DAY
        while not self._matches(day):
            day = day + _DAY if day.month in self._calendar.months else _next_month(day)
        return datetime.combine(day, time(self._hours[0], self._minutes[0]), wall.tzinfo)

    def _last_wall(self, wall: datetime) -> datetime | None:
        """The last matching wall time strictly before `wall`, seconds cut off first."""
        wall = wall.replace(second=0, microsecond=0)
        day = wall.date()
        if self._matches(day):
            at = bisect_right(self._hours, wall.hour) - 1
            if at >= 0 and self._hours[at] == wall.hour:
                minute = bisect_left(self._minutes, wall.minute) - 1
                if minute >= 0:
                    return datetime.combine(day, time(wall.hour, self._minutes[minute]), wall.tzinfo)
                at -= 1
            if at >= 0:
                return datetime.combine(day, time(self._hours[at], self._minutes[-1]), wall.tzinfo)
        oldest = day - _SEARCH_DAYS * _DAY
        day -= _DAY
        while not self._matches(day):
            day = day - _DAY if day.month in self._calendar.months else day.replace(day=1) - _DAY
            if day < oldest:
                return None
        return datetime.combine(day, time(self._hours[-1], self._minutes[-1]), wall.tzinfo)

    def _count_walls(self, after: datetime, until: datetime) -> int:
        """Matching wall times in (after, until]."""
        if until <= after:
            return 0
        total = self._count_day(until) - self._count_day(after)
        day, last = after.date(), until.date()
        per_day = len(self._hours) * len(self._minutes)
        while day < last:
            total += per_day if self._matches(day) else 0
            day += _DAY
        return total

    def _count_day(self, wall: datetime) -> int:
        """Matching wall times of that day up to and including `wall`."""
        if not self._matches(wall.date()):
            return 0
        whole = bisect_left(self._hours, wall.hour)
        here = bisect_right(self._minutes, wall.minute) if wall.hour in self._hours else 0
        return whole * len(self._minutes) + here


@lru_cache(maxsize=2048)
def _parse(expression: str, zone: str) -> Cron:
    fields = _fields_of(expression)
    area = zone_of(zone)
    try:
        calendar = CronSim(" ".join(fields), datetime(2000, 1, 1))  # noqa: DTZ001 - naive: cronsim must not see a zone
    except CronSimError as error:
        raise CronError(
            f"`schedule` '{expression[:64]}' never fires or is out of range ({error}); allowed are {', '.join(_FIELDS)}"
        ) from error
    minutes, hours = tuple(sorted(calendar.minutes)), tuple(sorted(calendar.hours))
    wild = fields[0].startswith("*") or fields[1].startswith("*") or len(minutes) == 60 or len(hours) == 24
    return Cron(
        expression=expression,
        zone=area,
        follows_real_time=wild,
        _minutes=minutes,
        _hours=hours,
        _calendar=calendar,
    )


def _next_month(day: date) -> date:
    return (day.replace(day=28) + 4 * _DAY).replace(day=1)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock first shows that time, or, in a gap, the first instant after the gap."""
    local = wall.replace(tzinfo=zone, fold=0)
    before = local.utcoffset() or timedelta()
    slot = wall - before
    if _offset(slot, zone) == before:
        return slot
    after = local.replace(fold=1).utcoffset() or timedelta()
    return _change(wall - after, slot, zone)


def _reached(moment: datetime, zone: ZoneInfo) -> datetime:
    """The latest wall time shown until the moment: in the second pass of an overlap, the last minute of the first."""
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    before = local.replace(fold=0).utcoffset() or timedelta()
    if not local.fold or before <= offset:
        return moment + offset
    return _change(moment - (before - offset), moment, zone) - _MINUTE + before


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole minute in (before, after] with another offset than `before` has."""
    offset = _offset(before, zone)
    low = before.replace(second=0, microsecond=0)
    steps_low, steps_high = 0, -((low - after) // _MINUTE)
    while steps_high - steps_low > 1:
        middle = (steps_low + steps_high) // 2
        if _offset(low + middle * _MINUTE, zone) == offset:
            steps_low = middle
        else:
            steps_high = middle
    return low + steps_high * _MINUTE


def _first_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first change of the clock in (after, until]; no zone changes it twice within a day."""
    offset = _offset(after, zone)
    while after < until:
        probe = min(until, after + _DAY)
        if _offset(probe, zone) != offset:
            return _change(after, probe, zone)
        after = probe
    return None


def _last_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The last change of the clock in (after, until]."""
    offset = _offset(until, zone)
    while after < until:
        probe = max(after, until - _DAY)
        if _offset(probe, zone) != offset:
            return _change(probe, until, zone)
        until = probe
    return None


def _pieces(
    after: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """(after, until] cut at the changes of the clock, into (low, high] with whole minutes and one offset each."""
    low = at = after
    while True:
        offset = _offset(at, zone)
        change = _first_change(at, until, zone)
        if change is None:
            yield low, until, offset
            return
        yield low, change - _MINUTE, offset
        low, at = change - _MINUTE, change
