"""Cron against plain cases, the minute-by-minute model of tests/oracle, and cronsim where that is right (UTC)."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.decide.cron import Cron, CronError
from tests.oracle.slots import Almanac, Rule, slots
from tests.oracle.sweep import SCHEDULES, compare, compare_window, windows, zones


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
    "T6 30 February": ("0 0 30 2 *", "never fires"),
    "T6 31 in short months": ("0 0 31 4,6,9,11 *", "never fires"),
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
    "T6 day or weekday": ("0 0 13 * 5", "Etc/UTC", "2026-03-07T00:00", "2026-03-13T00:00"),
    "weekday before the day": ("0 0 20 * 5", "Etc/UTC", "2026-03-07T00:00", "2026-03-13T00:00"),
    "T6 a starred day and a weekday": ("0 0 */2 * 1", "Etc/UTC", "2026-03-10T00:00", "2026-03-23T00:00"),
    "sunday is 0 and 7": ("0 0 * * 7", "Etc/UTC", "2026-03-10T00:00", "2026-03-15T00:00"),
    "names, lower case": ("0 0 * jan mon-wed", "Etc/UTC", "2026-03-10T00:00", "2027-01-04T00:00"),
    "T6 29 February": ("0 0 29 2 *", "Etc/UTC", "2096-03-01T00:00", "2104-02-29T00:00"),
    "29 February on a Sunday": ("0 0 29 2 */7", "Etc/UTC", "2088-03-01T00:00", "2128-02-29T00:00"),
    "T1 gap: once, at its end": ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),
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
    "T2 overlap: the first": ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),
    "T2 overlap: not the second": ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
    "asked inside the second pass": ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-26T01:30"),
    "wildcard in the overlap: both": (
        "*/30 2 * * *",
        "Europe/Berlin",
        "2026-10-25T00:30",
        "2026-10-25T01:00",
    ),
    "wildcard in the gap: none": ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:00"),
    "T4 every second hour over the gap": (
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
    "T5 missing midnight in Beirut": ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", "2026-03-28T22:00"),
    "T5 missing midnight in Sao Paulo": (
        "0 0 * * *",
        "America/Sao_Paulo",
        "2018-11-03T12:00",
        "2018-11-04T03:00",
    ),
    "T5 half an hour at Lord Howe": (
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


def test_t3_hourly_runs_23_and_25_times_on_the_days_of_change() -> None:
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


# -- the model in tests/oracle, which looks at the clock every minute -------------------------------------------------------

SPECIAL = (
    "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Casey", "America/Sao_Paulo", "Asia/Beirut", "Africa/Casablanca",
    "Africa/Cairo", "Pacific/Apia", "America/Caracas", "Asia/Pyongyang", "Antarctica/Troll", "Asia/Gaza", "America/Havana",
    "Europe/Dublin", "America/Nuuk", "Asia/Tehran", "Pacific/Fiji",
)  # fmt: skip
"""Zones whose clocks are changed at odd times, by odd amounts or in odd years."""
AROUND = timedelta(hours=3)


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), NEXT.values(), ids=NEXT.keys())
def test_the_model_knows_the_cases_worked_out_by_hand(
    expression: str, zone: str, after: str, expected: str
) -> None:
    day = timedelta(days=1)
    before = Almanac.of(
        ZoneInfo(zone), max(at(after).replace(second=0, microsecond=0), at(expected) - day), at(expected)
    )
    assert [slot for slot in slots(Rule.read(expression), before) if slot > at(after)] == [at(expected)]


PLANTED: dict[str, Callable[[Cron], Cron]] = {
    "fixed taken for wild": lambda cron: replace(cron, follows_real_time=not cron.follows_real_time),
    "another zone": lambda cron: replace(cron, zone=ZoneInfo("Europe/Lisbon")),
    "one minute less": lambda cron: replace(cron, _minutes=cron._minutes[1:] or (59,)),
    "one hour less": lambda cron: replace(cron, _hours=cron._hours[1:] or (23,)),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/20 2 * * *", "0,30 1-3 * * 0"])
def test_the_comparison_sees_a_planted_fault(expression: str, plant: Callable[[Cron], Cron]) -> None:
    zone, end = ZoneInfo("Europe/Berlin"), at("2026-10-25T06:00")
    for start in (at("2026-10-24T22:00"), at("2026-03-28T22:00")):
        expected = slots(Rule.read(expression), Almanac.of(zone, start, start + timedelta(hours=8)))
        compare(
            Cron.parse(expression, zone.key), expected, start, start + timedelta(hours=8), random.Random(1)
        )
    expected = slots(Rule.read(expression), Almanac.of(zone, at("2026-10-24T22:00"), end))
    with pytest.raises(AssertionError, match="in Europe/"):
        compare(
            plant(Cron.parse(expression, zone.key)), expected, at("2026-10-24T22:00"), end, random.Random(1)
        )


def test_equal_to_the_model_around_every_kind_of_clock_change() -> None:
    """One stretch in each zone there is, in a year of its own, and more of the odd ones; `make test-slots` takes them all."""
    chance = random.Random(20260329)
    compared = looked = 0
    for name in zones():
        years = range(2007, 2037) if name in SPECIAL else [chance.randrange(2007, 2037)]
        stretches = [it for year in years for it in windows(ZoneInfo(name), year, year, AROUND, chance)]
        for start, end in chance.sample(stretches, min(len(stretches), 6 if name in SPECIAL else 1)):
            compared += compare_window(ZoneInfo(name), start, end, chance.sample(SCHEDULES, 26), chance)
            looked += 1
    assert looked > 650
    assert compared > 50_000


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
