"""Alarms: who is due when, and how far a failure sets back."""

from datetime import timedelta

import pytest

from controller.alarms import Alarms


@pytest.fixture
def alarms(clock) -> Alarms:
    return Alarms(clock)


async def test_whose_time_has_come_is_taken_once_and_in_order(alarms, clock) -> None:
    for uid, seconds in (("b", 2), ("a", 1), ("later", 9)):
        alarms.set(uid, clock.now() + timedelta(seconds=seconds))
    assert alarms.seconds(30) == 1
    await clock.advance(3)
    assert alarms.due() == ["a", "b"]
    assert alarms.due() == []
    assert alarms.seconds(30) == 6


async def test_the_newest_alarm_counts(alarms, clock) -> None:
    alarms.set("a", clock.now() + timedelta(seconds=1))
    alarms.set("a", clock.now() + timedelta(seconds=5))
    alarms.set("b", clock.now() + timedelta(seconds=1))
    alarms.set("b", None)
    assert alarms.seconds(30) == 5
    await clock.advance(2)
    assert alarms.due() == []
    await clock.advance(3)
    assert alarms.due() == ["a"]


def test_no_sleep_is_longer_than_allowed_or_negative(alarms, clock) -> None:
    assert alarms.seconds(30) == 30
    alarms.set("a", clock.now() + timedelta(days=1))
    assert alarms.seconds(30) == 30
    alarms.set("a", clock.now() - timedelta(days=1))
    assert alarms.seconds(30) == 0


def test_setbacks_double_to_five_minutes_and_end_with_a_success(alarms) -> None:
    assert [alarms.set_back("a") for _ in range(12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert alarms.set_back("b") == 1
    alarms.went_well("a")
    assert alarms.set_back("a") == 1


async def test_who_rests_hears_nothing_until_the_alarm(alarms, clock) -> None:
    alarms.set_back("a", times=3, deaf=True)
    assert alarms.rests("a")
    assert not alarms.rests("b")
    await clock.advance(4)
    assert not alarms.rests("a")


async def test_a_clock_that_is_put_right_makes_no_hours_of_a_rest(alarms, clock) -> None:
    clock.step(6 * 3600)
    alarms.set_back("a", times=3, deaf=True)
    clock.step(-6 * 3600)
    assert alarms.seconds(30) == 4
    await clock.advance(3)
    assert (alarms.rests("a"), alarms.due()) == (True, [])
    await clock.advance(1)
    assert (alarms.rests("a"), alarms.due()) == (False, ["a"])


async def test_a_clock_that_steps_ahead_ends_no_rest_and_brings_slots_due(alarms, clock) -> None:
    alarms.set("slot", clock.now() + timedelta(hours=1))
    alarms.set_back("a", times=3, deaf=True)
    clock.step(3600)
    assert alarms.rests("a")
    assert alarms.due() == ["slot"]


async def test_between_a_slot_and_a_setback_the_newest_alarm_counts_too(alarms, clock) -> None:
    alarms.set("a", clock.now() + timedelta(seconds=1))
    alarms.set_back("a", times=3)
    alarms.set_back("b", times=1)
    alarms.set("b", clock.now() + timedelta(seconds=9))
    alarms.set_back("c")
    alarms.set("c", None)
    await clock.advance(4)
    assert alarms.due() == ["a"]
    assert alarms.seconds(30) == 5


def test_the_forgotten_is_gone(alarms, clock) -> None:
    alarms.set_back("a", deaf=True)
    alarms.forget("a")
    assert not alarms.rests("a")
    assert alarms.seconds(30) == 30
