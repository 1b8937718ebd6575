"""The smallest interval between slots that an installation allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.decide.cron import Cron
from controller.decide.often import closest_seconds, too_often
from controller.model.policy import Site
from controller.model.status import ConditionType
from tests.unit.controller.decide.world import World, at

HOURLY, DAILY = 3600, 86_400


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        pytest.param("* * * * *", 60, id="every minute"),
        pytest.param("*/7 * * * *", 4 * 60, id="from the 56th minute to the full hour"),
        pytest.param("0 4 * * *", DAILY, id="daily"),
        pytest.param("0 4,6 * * *", 2 * HOURLY, id="twice a day"),
        pytest.param("0 1,23 * * *", 2 * HOURLY, id="over midnight"),
        pytest.param("0 1,23 * * 1", 22 * HOURLY, id="on Mondays, so not over midnight"),
        pytest.param("0 1,23 * * 0,1", 2 * HOURLY, id="on Sundays and Mondays"),
        pytest.param("0 1,23 1 * *", 22 * HOURLY, id="once a month"),
        pytest.param("0 1,23 1 * 1", 2 * HOURLY, id="a first that follows a Monday"),
        pytest.param("0 1,23 1,31 * *", 2 * HOURLY, id="over the end of a month"),
        pytest.param("0 1,23 29,1 2,3 *", 2 * HOURLY, id="in leap years only"),
        pytest.param("59 23 * * *", DAILY, id="at the end of a day"),
    ],
)
def test_how_close_two_slots_are(expression: str, seconds: int) -> None:
    assert closest_seconds(Cron.parse(expression, "Etc/UTC")) == seconds


numbers = st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True)


@given(minutes=numbers, hours=numbers, weekdays=st.sets(st.integers(0, 6), min_size=1))
def test_it_is_what_the_slots_themselves_show(
    minutes: list[int], hours: list[int], weekdays: set[int]
) -> None:
    fields = [",".join(map(str, each)) for each in (minutes, hours, sorted(weekdays))]
    cron = Cron.parse(f"{fields[0]} {fields[1]} * * {fields[2]}", "Etc/UTC")
    slot, slots = datetime(2026, 3, 1, tzinfo=UTC), []
    while slot < datetime(2026, 3, 17, tzinfo=UTC):
        slot = cron.next_after(slot)
        slots.append(slot)
    closest = min(int((later - earlier) / timedelta(seconds=1)) for earlier, later in pairwise(slots))
    assert min(closest_seconds(cron), DAILY + 1) == min(closest, DAILY + 1)


@pytest.mark.parametrize(
    ("seconds", "refused"), [(60, False), (900, False), (901, True), (DAILY, True)], ids=str
)
def test_a_schedule_may_be_as_frequent_as_allowed(seconds: int, refused: bool) -> None:
    assert bool(too_often(Cron.parse("*/15 * * * *", "Etc/UTC"), seconds)) is refused


def test_a_schedule_that_asks_for_more_often_is_not_served_and_says_so() -> None:
    world = World(now=at("03:40"), spec={"schedule": "*/5 * * * *"}, site=Site(min_interval_seconds=HOURLY))
    world.go("06:00")
    assert world.made == []
    assert world.status.next_slot is None
    stalled = world.condition(ConditionType.STALLED)
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert "has slots 300 s apart; this installation allows one in 3600 s" in stalled.message
    assert "`operator.minIntervalSeconds`" in stalled.message


def test_allowed_again_it_fires_no_old_slot() -> None:
    world = World(
        now=at("03:40"), spec={"schedule": "30 * * * *"}, site=Site(min_interval_seconds=2 * HOURLY)
    )
    world.go("06:45")
    world.site = Site(min_interval_seconds=HOURLY)
    world.rest()
    assert world.made == []
    world.go("07:30")
    assert [item.slot.hour for item in world.made] == [7]
    assert world.condition(ConditionType.STALLED).status == "False"
