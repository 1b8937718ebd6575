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


def test_the_forgotten_is_gone(alarms, clock) -> None:
    alarms.set_back("a", deaf=True)
    alarms.forget("a")
    assert not alarms.rests("a")
    assert alarms.seconds(30) == 30
