"""CronJobs that are told when they last ran, and which slot the built-in controller should start next.

The controller looks at the real time, so nothing can be moved but `status.lastScheduleTime`: it then starts the newest
slot since. Dates in the past year serve as slots of any season, so clock changes that have been are asked for, too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.slots import MINUTE, Almanac, Rule, moments, newest, shows, slots
from tests.oracle.sweep import changes

ZONES = (
    "Etc/UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Helsinki", "Europe/Istanbul", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/St_Johns", "America/Halifax", "America/Sao_Paulo", "America/Santiago", "America/Phoenix",
    "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Shanghai", "Asia/Dubai", "Asia/Jerusalem", "Australia/Sydney", "Australia/Adelaide",
    "Australia/Brisbane", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Honolulu", "Pacific/Kiritimati", "Africa/Johannesburg",
    "Africa/Nairobi",
)  # fmt: skip
EVEN = (
    "*/5 * * * *", "*/15 * * * *", "7 * * * *", "0 */2 * * *", "0 */6 * * *", "30 2 * * *", "0 0 * * *", "15 4 * * *", "@hourly", "@daily", "@weekly",
    "0 3 * * 0", "45 23 * * SAT", "@monthly", "30 12 15 * *",
)  # fmt: skip
UNEVEN = (
    "0 9,17 * * *",
    "0 6 * * 1-5",
    "*/20 8-17 * * *",
    "5 4 1,15 * *",
    "10-40/15 */3 * * *",
    "0 0 13 * 5",
    "30 2-4 * * MON-WED",
)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Case:
    """`theirs` is the slot that the CronJob controller starts, None when it starts nothing."""

    name: str
    expression: str
    zone: str
    last: datetime
    theirs: datetime | None

    @property
    def rule(self) -> Rule:
        return Rule.read(self.expression)

    def ours(self, now: datetime) -> datetime | None:
        """What the model says of the same schedule."""
        return newest(self.rule, ZoneInfo(self.zone), now)


def dated(now: datetime, number: int, chance: random.Random) -> list[Case]:
    """Once a year, at some minute of the past one; told that it last ran some time before."""
    found: list[Case] = []
    while len(found) < number:
        zone = chance.choice(ZONES)
        slot = now.replace(second=0, microsecond=0) - chance.randrange(60, 340 * 1440) * MINUTE
        wall = shows(ZoneInfo(zone), slot)
        if moments(ZoneInfo(zone), wall) != [slot]:
            continue
        month = chance.choice([str(wall.month), MONTHS[wall.month - 1]])
        expression = f"{wall.minute} {wall.hour} {wall.day} {month} *"
        last = slot - chance.randrange(1, 20 * 1440) * MINUTE
        found.append(Case(f"dated-{len(found)}", expression, zone, last, slot))
    return found


def recurring(now: datetime, number: int, chance: random.Random) -> list[Case]:
    """Evenly spaced ones missed one to four slots, others one: beyond that a CronJob only guesses."""
    found: list[Case] = []
    while len(found) < number:
        zone, missed = chance.choice(ZONES), chance.randrange(1, 5)
        expression = chance.choice(EVEN + UNEVEN)
        back = _back(Case("", expression, zone, now, None), now, missed if expression in EVEN else 1)
        if all(len(moments(ZoneInfo(zone), shows(ZoneInfo(zone), slot))) == 1 for slot in back):
            found.append(Case(f"recurring-{len(found)}", expression, zone, back[-1], back[0]))
    return found


def _back(case: Case, now: datetime, missed: int) -> list[datetime]:
    """The newest slot, and so many before it."""
    found: list[datetime] = []
    while len(found) <= missed:
        slot = case.ours(found[-1] - MINUTE if found else now)
        assert slot is not None
        found.append(slot)
    return found


def clock_changes(now: datetime) -> tuple[list[Case], list[Case], list[Case], list[Case]]:
    """At the newest changes of the clocks: fixed times in gaps and in overlaps, wildcards in gaps and in overlaps."""
    gaps: list[Case] = []
    overlaps: list[Case] = []
    wild_gaps: list[Case] = []
    wild_overlaps: list[Case] = []
    for name in ZONES:
        zone = ZoneInfo(name)
        seen: set[bool] = set()
        for change in reversed(
            [it for it in changes(zone, now.year - 1, now.year) if it < now - timedelta(hours=3)]
        ):
            after, before = shows(zone, change), shows(zone, change - MINUTE) + MINUTE
            forward = after > before
            if forward in seen:
                continue
            seen.add(forward)
            # Ten minutes into the time that does not exist, or exists twice.
            wall = min(before, after) + 10 * MINUTE
            once = f"{wall.minute} {wall.hour} {wall.day} {wall.month} *"
            wild = f"*/10 {wall.hour} {wall.day} {wall.month} *"
            if forward:
                gaps.append(Case(f"gap-{len(gaps)}", once, name, change - timedelta(days=3), None))
                if wall.minute == 10 and (after - before) == timedelta(hours=1):
                    wild_gaps.append(
                        Case(f"wild-gap-{len(wild_gaps)}", wild, name, change - timedelta(hours=6), None)
                    )
            else:
                first, second = moments(zone, wall)
                overlaps.append(Case(f"overlap-{len(overlaps)}", once, name, first, second))
                around = Almanac.of(zone, change - timedelta(hours=2), change + timedelta(hours=2))
                last = slots(Rule.read(wild), around)[-1]
                assert last >= change, "in the second pass"
                wild_overlaps.append(
                    Case(f"wild-overlap-{len(wild_overlaps)}", wild, name, last - 10 * MINUTE, last)
                )
    return gaps, overlaps, wild_gaps, wild_overlaps


def forgotten(now: datetime) -> list[Case]:
    """Uneven ones that missed several slots: the CronJob controller's estimate lands beyond the newest and starts none."""
    hours = [(now.hour - back) % 24 for back in (10, 9, 8, 7, 6, 5, 4)]
    days = [(now.isoweekday() - back) % 7 for back in (4, 3)]
    expressions = {
        "two-a-day": f"17 {hours[-2]},{hours[-1]} * * *",
        "by-day": f"*/5 {','.join(map(str, hours))} * * *",
        "two-a-week": f"17 6 * * {days[0]},{days[1]}",
    }
    found = []
    for name, expression in expressions.items():
        slot = newest(Rule.read(expression), ZoneInfo("Etc/UTC"), now)
        assert slot is not None
        before = timedelta(days=14 if name == "two-a-week" else 3)
        found.append(Case(name, expression, "Etc/UTC", slot - before, None))
    return found


def starred_day(now: datetime) -> Case:
    """'*/2' beside a weekday: to a CronJob either is enough, by the classic rule a star asks for both."""
    slot = now.replace(second=0, microsecond=0) - timedelta(hours=23)  # today's is still to come
    weekday = slot.isoweekday() % 7
    chosen = weekday if slot.day % 2 == 0 else (weekday + 1) % 7  # of its day either one fits, never both
    expression = f"{slot.minute} {slot.hour} */2 * {chosen}"
    return Case("starred-day", expression, "Etc/UTC", slot - MINUTE, slot)


def chatham(now: datetime) -> Case:
    """Its clock goes from 2:45 to 3:45. A CronJob of 2:55 runs that much too late: at 3:55, ten minutes after the gap."""
    name = "Pacific/Chatham"
    zone = ZoneInfo(name)
    change = next(
        it
        for it in reversed(changes(zone, now.year - 2, now.year))
        if it < now - timedelta(hours=3) and shows(zone, it) - shows(zone, it - MINUTE) > MINUTE
    )
    day = shows(zone, change)
    return Case(
        "chatham", f"55 2 {day.day} {day.month} *", name, change - timedelta(days=3), change + 10 * MINUTE
    )
