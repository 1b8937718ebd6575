"""Which schedules, zones and stretches of time are compared with the model, and how; shared by the big and the small run.

Every comparison asks the product in all its ways: forward one by one, backward one by one, and at chance moments with
seconds for the next, the last and the number between. Chance is seeded, so a difference can be found again.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from controller.decide.cron import Cron
from tests.oracle.slots import DAY, MINUTE, Almanac, Rule, slots

SCHEDULES = (
    # fixed times
    "30 2 * * *", "0 0 * * *", "0 2 * * *", "0 3 * * *", "59 1 * * *", "0,30 2 * * *", "15,45 1-3 * * *", "5 0,1,2,3 * * *",
    "59 23 * * *", "1 0 * * *", "10-50/20 0-4 * * *", "30 1,2 * * 0", "30 2 * * SUN", "0 4 * * 1-5", "20 2 * * 6,7", "30 23 * * SAT",
    "0 3 */2 * *", "45 2 1-7 * 1", "30 2 8-14 3 *", "30 2 25-31 3,10 *", "15 2 1-7 11 0", "0 0 1,15 * *", "0 1 * APR,OCT 0", "30 0 1-31/2 * *",
    "29-31 2 * * *", "0 5-5/2 * * *", "0 6,18 * * *", "15 0-22/11 * * *", "0,15,30,45 2,14 * * *", "@daily", "@weekly", "@midnight",
    # wildcards, which follow real time
    "*/15 * * * *", "7 * * * *", "0 * * * *", "*/20 2 * * *", "0 */2 * * *", "30 */3 * * *", "*/10 1-3 * 3,4,9,10,11 *", "1-59/29 * * * 6,0",
    "0,30 */3 1-31/2 * *", "*/30 0-4 * * 0", "45 */1 * * 0", "17 0-23 * * *", "0-59 2 * * 0", "* 2 1-7,25-31 * 0", "*/59 * * * *", "0 */6 * * *",
    "@hourly", "50/5 */12 * * *",
)  # fmt: skip
SPARSE = (
    "30 2 * * 0", "0 0 1 * *", "0 0 29 2 *", "15 3 1-7 * 1", "30 2 31 * *", "0 12 1 1 *", "@monthly", "@yearly", "45 1 13 * 5", "0 3 */9 2-11/3 *",
    "0 0 * 3,10 SUN",
)  # fmt: skip
"""Too seldom for a window; walked through all years."""
DAILY = ("30 2 * * *", "0 0 * * *", "30 1 * * *", "0 3 * * *", "59 23 * * *", "15 0,2 * * *")
NOT_ZONES = {"localtime", "Factory", "posixrules"}


def zones() -> list[str]:
    return sorted(available_timezones() - NOT_ZONES)


def changes(zone: ZoneInfo, first: int, last: int) -> list[datetime]:
    """The moments in those years at which its clock is put forward or back."""
    found = []
    day = datetime(first, 1, 1, tzinfo=UTC)
    while day.year <= last:
        low, high = day, day + DAY
        before = low.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() != before:
            while high - low > MINUTE:
                middle = low + MINUTE * ((high - low) // MINUTE // 2)
                if middle.astimezone(zone).utcoffset() == before:
                    low = middle
                else:
                    high = middle
            found.append(high)
        day += DAY
    return found


def windows(
    zone: ZoneInfo, first: int, last: int, around: timedelta, chance: random.Random
) -> Iterator[tuple[datetime, datetime]]:
    """Every change of the clock, and for each year without one some other moment."""
    moved = changes(zone, first, last)
    years = {moment.year for moment in moved}
    quiet = [
        datetime(year, 1, 1, tzinfo=UTC) + chance.randrange(364 * 1440) * MINUTE
        for year in range(first, last + 1)
        if year not in years
    ]
    for moment in moved + quiet:
        yield moment - around, moment + around


def compare_window(
    zone: ZoneInfo, start: datetime, end: datetime, schedules: Sequence[str], chance: random.Random
) -> int:
    """How many slots were compared; AssertionError at the first difference."""
    almanac = Almanac.of(zone, start, end)
    compared = 0
    for expression in schedules:
        expected = slots(RULES[expression], almanac)
        compare(Cron.parse(expression, zone.key), expected, start, end, chance)
        compared += len(expected)
    return compared


def compare(
    cron: Cron, expected: list[datetime], start: datetime, end: datetime, chance: random.Random
) -> None:
    """`expected` are all its slots from `start` to `end`, both included."""
    where = f"{cron.expression} in {cron.zone} from {start} to {end}"
    same(forward(cron, start, end), expected, f"{where}, forward")
    same(backward(cron, start, end), expected, f"{where}, backward")
    probe(cron, expected, start, end, chance)


def same(found: list[datetime], expected: list[datetime], where: str) -> None:
    assert found == expected, (
        f"{where}: too many {sorted(set(found) - set(expected))[:3]}, missing {sorted(set(expected) - set(found))[:3]}"
    )


def forward(cron: Cron, start: datetime, end: datetime) -> list[datetime]:
    found, moment = [], start - MINUTE
    while (moment := cron.next_after(moment)) <= end:
        found.append(moment)
    return found


def backward(cron: Cron, start: datetime, end: datetime) -> list[datetime]:
    found, moment = [], end
    while (last := cron.last_at_or_before(moment)) is not None and last >= start:
        found.append(last)
        moment = last - timedelta(microseconds=1)
    return found[::-1]


def probe(
    cron: Cron, expected: list[datetime], start: datetime, end: datetime, chance: random.Random
) -> None:
    """The three questions at chance moments, not on whole minutes."""
    seconds = int((end - start).total_seconds())
    low = start + timedelta(seconds=chance.randrange(seconds))
    high = low + timedelta(seconds=chance.randrange(int((end - low).total_seconds()) + 1))
    where = f"{cron.expression} in {cron.zone}: ({low}, {high}]"
    begin, stop = bisect_right(expected, low), bisect_right(expected, high)
    assert cron.count_between(low, high) == stop - begin, where
    if begin < len(expected):
        assert cron.next_after(low) == expected[begin], where
    if stop:
        assert cron.last_at_or_before(high) == expected[stop - 1], where
    if stop - begin > 1:
        exact = chance.randrange(begin, stop - 1)
        assert cron.next_after(expected[exact]) == expected[exact + 1], where
        assert cron.last_at_or_before(expected[exact]) == expected[exact], where


RULES = {expression: Rule.read(expression) for expression in (*SCHEDULES, *SPARSE, *DAILY)}
