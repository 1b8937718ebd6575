"""When a schedule must fire, worked out slowly and plainly: the model that `controller.decide.cron` is held to.

Nothing of the product or of a cron library is used. A clock hangs in the zone; whoever follows this model looks at it
every minute and keeps a list. Two lists, since docs/semantics.md knows two kinds of schedules:

- fixed times ("at 02:30"): for every minute that the calendar names, when does the clock first show it; and when it
  never does (the clock was put forward over it), when does it show the next minute that there is;
- wildcards ("every 15 minutes"): what does the clock show at every minute that really passes.

`Almanac` holds both lists for a stretch of time, `Rule` says which entries a schedule wants, `slots` picks them.
`long_walk` is the same for fixed times over many years: days on which nothing is wanted are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
WEEKDAYS = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}


def values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """What one field of a cron expression names: '*', '5', '1-5', '*/10', '10-30/5', '5/10', lists, names."""
    names = names or {}
    found: set[int] = set()
    for term in text.upper().split(","):
        span, slash, step = term.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = last = names[first_text] if first_text in names else int(first_text)
            if dash:
                last = names[last_text] if last_text in names else int(last_text)
            elif slash:
                last = high
        found.update(range(first, last + 1, int(step or 1)))
    return found


@dataclass(frozen=True)
class Rule:
    """What an expression wants: which days, and which minutes of such a day (0 is midnight)."""

    minutes_of_day: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool
    """Day of month and weekday must both fit; otherwise either is enough (the classic "or")."""
    fixed: bool

    @classmethod
    def read(cls, expression: str) -> Rule:
        minute, hour, day, month, weekday = NICKNAMES.get(expression, expression).split()
        minutes, hours = values(minute, 0, 59), values(hour, 0, 23)
        return cls(
            minutes_of_day=frozenset(60 * h + m for h in hours for m in minutes),
            days=frozenset(values(day, 1, 31)),
            months=frozenset(values(month, 1, 12, MONTHS)),
            weekdays=frozenset(number % 7 for number in values(weekday, 0, 7, WEEKDAYS)),
            both=day.startswith("*") or weekday.startswith("*"),
            fixed=not (
                minute.startswith("*") or hour.startswith("*") or len(minutes) == 60 or len(hours) == 24
            ),
        )

    def wants_day(self, day: date) -> bool:
        on_day, on_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((on_day and on_weekday) if self.both else (on_day or on_weekday))


def shows(zone: ZoneInfo, moment: datetime) -> datetime:
    """What the clock shows at that moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def moments(zone: ZoneInfo, wall: datetime) -> list[datetime]:
    """All moments at which the clock shows that: one on most days, none in a gap, two in an overlap; oldest first."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    candidates = [first] if first == second else [first, second]
    return [moment for moment in candidates if shows(zone, moment) == wall]


def fires(zone: ZoneInfo, wall: datetime) -> datetime:
    """When a schedule fires that names this very minute: exactly once."""
    while not (found := moments(zone, wall)):
        wall += MINUTE
    return found[0]


@dataclass(frozen=True)
class Almanac:
    """The two lists of one zone, from `start` to `end`, both included; by days of the clock: minute of the day, moment."""

    start: datetime
    end: datetime
    named: list[tuple[date, list[tuple[int, datetime]]]]
    passed: list[tuple[date, list[tuple[int, datetime]]]]

    @classmethod
    def of(cls, zone: ZoneInfo, start: datetime, end: datetime) -> Almanac:
        """`start` and `end` in UTC, on whole minutes."""
        passed = [(shows(zone, moment), moment) for moment in every_minute(start, end)]
        # The clock may have been put forward just at `start`: what it passed over then is named, too.
        first = min(shows(zone, start), shows(zone, start - MINUTE) + MINUTE)
        last = max(wall for wall, _ in passed)
        named: list[tuple[datetime, datetime]] = []
        next_one = fires(zone, last)
        for wall in reversed(list(every_minute(first, last))):
            found = moments(zone, wall)
            next_one = (
                found[0] if found else next_one
            )  # as `fires` says, without walking each gap again for each minute
            named.append((wall, next_one))
        named.reverse()
        return cls(start, end, by_day([it for it in named if start <= it[1] <= end]), by_day(passed))


def every_minute(first: datetime, last: datetime) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += MINUTE


def by_day(entries: list[tuple[datetime, datetime]]) -> list[tuple[date, list[tuple[int, datetime]]]]:
    return [
        (day, [(60 * wall.hour + wall.minute, moment) for wall, moment in group])
        for day, group in groupby(entries, lambda entry: entry[0].date())
    ]


def slots(rule: Rule, almanac: Almanac) -> list[datetime]:
    """When it fires from the almanac's start to its end. Several names of one moment are one slot."""
    wanted = rule.minutes_of_day
    found: set[datetime] = set()
    for day, minutes in almanac.named if rule.fixed else almanac.passed:
        if rule.wants_day(day):
            found.update([moment for minute, moment in minutes if minute in wanted])
    return sorted(found)


def long_walk(rule: Rule, zone: ZoneInfo, first: date, last: date) -> list[datetime]:
    """All slots that a rule of fixed times names on the days of the clock from `first` to `last`."""
    assert rule.fixed
    found: set[datetime] = set()
    day = first
    while day <= last:
        if rule.wants_day(day):
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - what a clock shows has no zone
            found.update(fires(zone, midnight + minute * MINUTE) for minute in rule.minutes_of_day)
        day += DAY
    return sorted(found)


def newest(rule: Rule, zone: ZoneInfo, now: datetime, days: int = 400) -> datetime | None:
    """The newest slot at or before `now`, if there is one in so many days."""
    if rule.fixed:
        walked = long_walk(rule, zone, (now - days * DAY).date(), (now + 2 * DAY).date())
        return next((slot for slot in reversed(walked) if slot <= now), None)
    moment = now.replace(second=0, microsecond=0)
    while moment > now - days * DAY:
        day = moment.date()
        if any(rule.wants_day(near) for near in (day - DAY, day, day + DAY)):
            wall = shows(zone, moment)
            if 60 * wall.hour + wall.minute in rule.minutes_of_day and rule.wants_day(wall.date()):
                return moment
            moment -= MINUTE
        else:
            moment = (
                datetime(day.year, day.month, day.day, tzinfo=UTC) - MINUTE
            )  # no clock shows a day further off
    return None


@dataclass(frozen=True)
class Outcome:
    """What becomes of slots that came due while nobody looked."""

    run: tuple[datetime, ...] = ()
    coalesced: int = 0
    missed: int = 0


def catch_up(
    due: list[datetime],
    now: datetime,
    policy: str,
    *,
    max_runs: int = 10,
    max_age: timedelta = timedelta(days=7),
    on_time: timedelta = timedelta(minutes=5),
) -> Outcome:
    """`due` are all slots since the last decided one, oldest first, none after `now`.

    Latest: the newest runs for all. All: the newest `max_runs` run, each for itself, older ones go with the oldest of
    them. None: only a slot that is on time runs. Whatever runs is at most `max_age` old; what neither runs nor goes
    with one that does is missed.
    """
    fresh = [slot for slot in due if now - slot <= max_age]
    if policy == "None":
        run = tuple(slot for slot in fresh[-1:] if now - slot <= on_time)
        return Outcome(run, missed=len(due) - len(run))
    if not fresh:
        return Outcome(missed=len(due))
    if policy == "Latest":
        return Outcome((fresh[-1],), coalesced=len(due) - 1)
    assert policy == "All"
    run = tuple(fresh[-max_runs:])
    return Outcome(run, coalesced=len(fresh) - len(run), missed=len(due) - len(fresh))
