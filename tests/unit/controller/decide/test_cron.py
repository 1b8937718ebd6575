"""Cron against plain cases, an independent minute-by-minute model, and cronsim where that is right (UTC)."""

import random
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.decide.cron import Cron, CronError

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- what is accepted --------------------------------------------------------------------------------------------------

REFUSED = {
    "six fields": ("0 0 4 * * *", "seconds and years are not supported"),
    "four fields": ("0 4 * *", "use five fields"),
    "empty": ("", "use five fields"),
    "TZ prefix": ("TZ=Europe/Berlin 0 4 * * *", "set `timeZone` instead"),
    "CRON_TZ prefix": ("CRON_TZ=Europe/Berlin 0 4 * * *", "set `timeZone` instead"),
    "reboot": ("@reboot", "@hourly, @daily"),
    "every": ("@every 5m", "@hourly, @daily"),
    "hash token": ("H 4 * * *", "`H` is not supported yet"),
    "hash with a step": ("H/5 * * * *", "`H` is not supported yet"),
    "hash with a range": ("0 H(0-7) * * *", "`H` is not supported yet"),
    "30 February": ("0 0 30 2 *", "never fires"),
    "31 in short months": ("0 0 31 4,6,9,11 *", "never fires"),
    "minute 60": ("60 * * * *", "minute 0-59"),
    "hour 24": ("0 24 * * *", "hour 0-23"),
    "month 13": ("0 0 1 13 *", "month 1-12"),
    "day 0": ("0 0 0 * *", "day-of-month 1-31"),
    "weekday 8": ("0 0 * * 8", "day-of-week 0-7"),
    "backward range": ("0 5-3 * * *", "hour 0-23"),
    "step 0": ("*/0 * * * *", "minute 0-59"),
    "words": ("every day at four o'clock", "is not a valid minute"),
    "last day": ("0 0 L * *", "is not a valid day-of-month"),
    "nth weekday": ("0 0 * * 1#2", "is not a valid day-of-week"),
    "question mark": ("0 0 ? * 1", "is not a valid day-of-month"),
    "long": (",".join(["1"] * 200) + " * * * *", "at most 256"),
    "other digits": ("٣ * * * *", "is not a valid minute"),
    "empty list item": ("1,,2 * * * *", "is not a valid minute"),
}


@pytest.mark.parametrize(("expression", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_meant_is_refused_with_what_is_allowed(expression: str, says: str) -> None:
    with pytest.raises(CronError) as caught:
        Cron.parse(expression, "Etc/UTC")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "zone",
    [
        "Mars/Base",
        "",
        "localtime",
        "../../etc/passwd",
        "America",
        "Europe/berlin ",
        "posix/Europe/Berlin",
        "Local",
    ],
)
def test_an_unknown_zone_is_refused_with_an_example(zone: str) -> None:
    with pytest.raises(CronError, match="use an IANA name such as 'Europe/Berlin'"):
        Cron.parse("0 4 * * *", zone)


MACROS = {
    "@hourly": "2026-03-10T11:00",
    "@daily": "2026-03-11T00:00",
    "@midnight": "2026-03-11T00:00",
    "@weekly": "2026-03-15T00:00",
    "@monthly": "2026-04-01T00:00",
    "@yearly": "2027-01-01T00:00",
    "@annually": "2027-01-01T00:00",
}


@pytest.mark.parametrize(("macro", "expected"), MACROS.items(), ids=MACROS.keys())
def test_macros(macro: str, expected: str) -> None:
    assert Cron.parse(macro, "Etc/UTC").next_after(at("2026-03-10T10:15")) == at(expected)


NEXT = {
    "daily": ("0 4 * * *", "Etc/UTC", "2026-03-10T04:00", "2026-03-11T04:00"),
    "strictly after": ("0 4 * * *", "Etc/UTC", "2026-03-10T03:59:59.999999", "2026-03-10T04:00"),
    "a range of one with a step is one value": (
        "5-5/10 * * * *",
        "Etc/UTC",
        "2026-03-10T04:05",
        "2026-03-10T05:05",
    ),
    "also inside a list": ("5-5/10,7 * * * *", "Etc/UTC", "2026-03-10T04:07", "2026-03-10T05:05"),
    "also by name": ("0 0 * * TUE-TUE/2", "Etc/UTC", "2026-03-10T00:00", "2026-03-17T00:00"),
    "a value with a step is a range to the end": (
        "50/5 * * * *",
        "Etc/UTC",
        "2026-03-10T04:50",
        "2026-03-10T04:55",
    ),
    "day or weekday": ("0 0 13 * 5", "Etc/UTC", "2026-03-07T00:00", "2026-03-13T00:00"),
    "weekday before the day": ("0 0 20 * 5", "Etc/UTC", "2026-03-07T00:00", "2026-03-13T00:00"),
    "a starred day and a weekday": ("0 0 */2 * 1", "Etc/UTC", "2026-03-10T00:00", "2026-03-23T00:00"),
    "sunday is 0 and 7": ("0 0 * * 7", "Etc/UTC", "2026-03-10T00:00", "2026-03-15T00:00"),
    "names, lower case": ("0 0 * jan mon-wed", "Etc/UTC", "2026-03-10T00:00", "2027-01-04T00:00"),
    "29 February": ("0 0 29 2 *", "Etc/UTC", "2096-03-01T00:00", "2104-02-29T00:00"),
    "29 February on a Sunday": ("0 0 29 2 */7", "Etc/UTC", "2088-03-01T00:00", "2128-02-29T00:00"),
    "gap: once, at its end": ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),
    "day after the gap": ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00", "2026-03-30T00:30"),
    "gap: several times become one": (
        "0,15,30 2 * * *",
        "Europe/Berlin",
        "2026-03-29T01:00",
        "2026-03-30T00:00",
    ),
    "gap: also with one at its end": (
        "30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-29T01:00",
        "2026-03-29T01:30",
    ),
    "overlap: the first": ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),
    "overlap: not the second": ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
    "asked inside the second pass": ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-26T01:30"),
    "wildcard in the overlap: both": (
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-10-25T00:30",
        "2026-10-25T01:00",
    ),
    "wildcard in the gap: none": ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:00"),
    "every second hour over the gap": (
        "0 */2 * * *",
        "Europe/Berlin",
        "2026-03-28T23:30",
        "2026-03-29T02:00",
    ),
    "all hours spelled out follow real time": (
        "0 0-23 * * *",
        "Europe/Berlin",
        "2026-10-25T00:00",
        "2026-10-25T01:00",
    ),
    "missing midnight in Beirut": ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", "2026-03-28T22:00"),
    "missing midnight in Sao Paulo": (
        "0 0 * * *",
        "America/Sao_Paulo",
        "2018-11-03T12:00",
        "2018-11-04T03:00",
    ),
    "half an hour at Lord Howe": (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T12:00",
        "2026-10-03T15:30",
    ),
    "Chatham changes at 2:45": ("50 2 * * *", "Pacific/Chatham", "2026-09-26T00:00", "2026-09-26T14:00"),
    "Samoa skipped a day": ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00", "2011-12-30T10:00"),
}


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), NEXT.values(), ids=NEXT.keys())
def test_next_slot(expression: str, zone: str, after: str, expected: str) -> None:
    cron = Cron.parse(expression, zone)
    assert cron.next_after(at(after)) == at(expected)
    assert cron.last_at_or_before(at(expected)) == at(expected)


def test_hourly_runs_23_and_25_times_on_the_days_of_change() -> None:
    cron = Cron.parse("30 * * * *", "Europe/Berlin")
    assert cron.count_between(at("2026-03-28T23:00"), at("2026-03-29T22:00")) == 23
    assert cron.count_between(at("2026-10-24T22:00"), at("2026-10-25T23:00")) == 25


def test_a_hundred_thousand_slots_are_counted_without_listing_them() -> None:
    cron = Cron.parse("*/5 * * * *", "Europe/Berlin")
    began = time.perf_counter()
    count = cron.count_between(at("2025-01-01T00:00"), at("2026-01-01T00:00"))
    assert count == 365 * 24 * 12
    assert time.perf_counter() - began < 0.5  # a walk would take seconds


def test_counting_is_bounded_for_a_schedule_of_the_year_one() -> None:
    began = time.perf_counter()
    count = Cron.parse("* * * * *", "Etc/UTC").count_between(at("0001-01-02T00:00"), at("2026-01-01T00:00"))
    assert count == 3660 * 1440
    assert time.perf_counter() - began < 1


def test_nothing_is_counted_backwards() -> None:
    assert (
        Cron.parse("* * * * *", "Etc/UTC").count_between(at("2026-01-02T00:00"), at("2026-01-01T00:00")) == 0
    )


@pytest.mark.parametrize("expression", ["0 0 29 2 *", "*/5 0 29 2 *"])
def test_before_the_first_slot_ever_there_is_none(expression: str) -> None:
    first = Cron.parse(expression, "Etc/UTC").last_at_or_before(at("0050-01-01T00:00"))
    assert first is not None
    assert first.year == 48


# -- the model: walk every minute -------------------------------------------------------------------------------------

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (int(part) for part in span.split("-"))
        else:
            first = int(span)
            last = high if step else first
        found |= set(range(first, last + 1, int(step or 1)))
    return found


class Model:
    """The rule as a person would follow it with a watch: look at the clock every minute."""

    def __init__(self, expression: str) -> None:
        fields = expression.split()
        self.minutes, self.hours, self.days, self.months, self.weekdays = (
            values(text, *bounds) for text, bounds in zip(fields, RANGES, strict=True)
        )
        self.both = fields[2].startswith("*") or fields[4].startswith("*")
        self.wild = fields[0].startswith("*") or fields[1].startswith("*")

    def matches(self, wall: datetime) -> bool:
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        weekday = wall.isoweekday()
        on_weekday = weekday in self.weekdays or weekday % 7 in self.weekdays
        on_day = wall.day in self.days
        return (on_day and on_weekday) if self.both else (on_day or on_weekday)

    def slots(self, watch: list[tuple[datetime, datetime]], lead: int) -> list[datetime]:
        """Slots of the (instant, wall time) pairs after the first `lead` ones, which only tell what was shown before."""
        if self.wild:
            return [moment for moment, wall in watch[lead:] if self.matches(wall)]
        found = []
        shown = max(wall for _, wall in watch[:lead])
        for moment, wall in watch[lead:]:
            due = False
            while shown < wall:  # more than one step only across a gap, none at all in a second pass
                shown += MINUTE
                due = due or self.matches(shown)
            if due:
                found.append(moment)
        return found


LEAD = 26 * 60


def watch_of(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """What a watch in that zone shows, minute by minute, beginning LEAD minutes before `start`."""
    area, minutes = ZoneInfo(zone), int((end - start) / MINUTE)
    moments = (start + offset * MINUTE for offset in range(-LEAD, minutes + 1))
    return [(moment, moment.astimezone(area).replace(tzinfo=None)) for moment in moments]


SCHEDULES = (
    "30 2 * * *", "0 0 * * *", "15,45 1-3 * * *", "0 4 * * 1-5", "59 23 * * *", "5 0,1,2,3 * * 0,6", "0 0 1,15 * *",
    "10-50/20 0-4 * * *", "0 3 */2 * *", "45 2 1-7 * 1", "*/15 * * * *", "7 * * * *", "*/20 2 * * *", "0 */2 * * *",
    "*/10 0-4 * 3,4,9,10,11 *", "1-59/9 * * * 6,0,1", "0,30 */3 1-31/2 * *",
)  # fmt: skip
SPECIAL = (
    "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Casey", "America/Sao_Paulo", "Asia/Beirut", "Africa/Casablanca",
    "Africa/Cairo", "Pacific/Apia", "America/Caracas", "Asia/Pyongyang", "Antarctica/Troll", "Asia/Gaza", "America/Havana",
    "Europe/Dublin", "America/Nuuk", "Asia/Tehran", "Pacific/Fiji",
)  # fmt: skip


def change_days(zone: str, first: int, last: int) -> list[datetime]:
    """Days (as instants) after which the offset is another than the day before."""
    area, found = ZoneInfo(zone), []
    day, before = datetime(first, 1, 1, tzinfo=UTC), None
    while day.year <= last:
        offset = day.astimezone(area).utcoffset()
        if before is not None and offset != before:
            found.append(day)
        before, day = offset, day + timedelta(days=1)
    return found


def test_equal_to_the_model_around_every_kind_of_clock_change() -> None:
    """Two days around changes of the clock in all the odd zones and a sample of the others: some 50,000 slots."""
    chance = random.Random(20260329)
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    sample = [(zone, 2009, 2027) for zone in SPECIAL] + [(zone, 2023, 2026) for zone in zones[::4]]
    compared = changes = 0
    for zone, first, last in sample:
        days = change_days(zone, first, last) or [datetime(2024, 2, 28, tzinfo=UTC)]
        for day in chance.sample(days, min(len(days), 10 if zone in SPECIAL else 1)):
            changes += 1
            start, end = day - timedelta(hours=30), day + timedelta(hours=18)
            watch = watch_of(zone, start, end)
            for expression in chance.sample(SCHEDULES, 6):
                expected = Model(expression).slots(watch, LEAD)
                compared += len(expected)
                check(Cron.parse(expression, zone), expected, start, end, chance)
    assert changes > 200
    assert compared > 50_000


def check(
    cron: Cron, expected: list[datetime], start: datetime, end: datetime, chance: random.Random
) -> None:
    where = f"{cron.expression} in {cron.zone} from {start}"
    found, moment = [], start - MINUTE
    while (moment := cron.next_after(moment)) <= end:
        found.append(moment)
    assert found == expected, where
    backward: list[datetime] = []
    before: datetime | None = end
    while before is not None and (before := cron.last_at_or_before(before)) is not None and before >= start:
        backward.insert(0, before)
        before -= timedelta(seconds=1)
    assert backward == expected, where
    for _ in range(4):
        low = start + timedelta(seconds=chance.randrange(48 * 3600))
        high = low + timedelta(seconds=chance.randrange(int((end - low).total_seconds()) + 1))
        count = cron.count_between(low, high)
        assert count == sum(low < slot <= high for slot in expected), f"{where}: ({low}, {high}]"
        following = next((slot for slot in expected if slot > low), None)
        if following is not None:
            assert cron.next_after(low) == following, f"{where}: after {low}"


@given(
    expression=st.builds(
        " ".join,
        st.tuples(
            st.sampled_from(["*", "0", "*/7", "5,35", "10-20/3", "59"]),
            st.sampled_from(["*", "0", "*/5", "4,16", "8-17", "23"]),
            st.sampled_from(["*", "1", "*/3", "29", "31", "13,14", "1-7"]),
            st.sampled_from(["*", "2", "*/4", "1,12", "6-8"]),
            st.sampled_from(["*", "0", "7", "1-5", "*/2", "2,6"]),
        ),
    ),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - given UTC below
)
@settings(max_examples=150, deadline=None)
def test_equal_to_cronsim_in_utc(expression: str, start: datetime) -> None:
    start = start.replace(tzinfo=UTC)
    try:
        cron = Cron.parse(expression, "Etc/UTC")
    except CronError:
        return
    library = CronSim(expression, start)
    moment = start
    for _ in range(5):
        moment = cron.next_after(moment)
        assert moment == next(library)
    back = CronSim(expression, start, reverse=True)
    assert cron.last_at_or_before(start - timedelta(microseconds=1)) == next(back)
