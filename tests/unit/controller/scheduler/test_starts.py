"""A replica takes over a house full of schedules: what presses comes first, and nothing is launched from old knowledge."""

from __future__ import annotations

import pytest

from controller.cluster.memory import JOB, SCHEDULE, Fault
from controller.cluster.port import Unavailable
from controller.fresh import FEW
from controller.testkit import Kit
from tests.unit.controller.house import House

LATER, QUIET = 5, 15
YEARLY = {"schedule": "0 0 1 1 *"}


async def settled(house: House) -> House:
    await house.settle()
    house.cluster.calls.clear()
    return house


async def with_many_at_rest(cluster, clock) -> House:
    house = House(cluster, clock)
    for number in range(QUIET):
        house.apply(f"q{number:02}", **YEARLY)
    house.apply()
    return await settled(house)


def quiet_left(house: House) -> int:
    """How many of those that can wait were not looked at yet."""
    return len(house.table._later)


async def standing_by(house: House) -> Kit:
    """Another replica that has listed everything, and from now on sees nothing."""
    leading = tuple(house.cluster.subscribers)
    other = Kit(clock=house.clock, cluster=house.cluster)
    await other.resync.round()
    house.cluster.subscribers[:] = leading
    other.compared = False
    return other


async def test_after_a_start_the_first_turn_is_for_who_is_due(cluster, clock) -> None:
    house = await with_many_at_rest(cluster, clock)
    await clock.advance(31)
    await house.restart()
    house.scheduler.later = LATER
    await house.run_once()
    assert [job["metadata"]["labels"]["gscsync.io/schedule"] for job in house.jobs()] == ["marketing"]
    assert house.table.wake.is_set(), "others are still to be looked at"
    assert quiet_left(house) == QUIET


async def test_a_slot_that_comes_due_meanwhile_waits_for_one_share_of_them(cluster, clock) -> None:
    house = await with_many_at_rest(cluster, clock)
    await house.restart()
    house.scheduler.later = LATER
    # Its alarm is set when it is looked at; it was not the last to be made known.
    house.table.touch(house.table.find("team", "marketing").schedule.uid)
    await house.run_once()
    assert house.jobs() == []
    await clock.advance(31)
    await house.run_once()
    assert len(house.jobs()) == 1
    assert house.table.wake.is_set()
    assert quiet_left(house) == QUIET - LATER
    await house.settle()
    assert "patch_status" in house.cluster.calls, "what was launched"


@pytest.mark.parametrize("others", [0, FEW + 1], ids=["alone", "with many that are due"])
async def test_a_run_that_came_and_went_under_another_leader_is_not_launched_again(
    cluster, clock, others
) -> None:
    house = House(cluster, clock)
    house.apply(history={"successfulLimit": 0})
    for number in range(others):
        house.apply(f"o{number:02}", history={"successfulLimit": 0})
    await settled(house)
    other = await standing_by(house)
    await clock.advance(31)
    await house.settle()
    for job in house.jobs():
        house.finish(job, 0)
    await house.settle()
    for job in cluster.all(JOB):
        cluster.remove(JOB, "team", job["metadata"]["name"])
    assert house.status().counters.succeeded == 1
    cluster.calls.clear()
    other.scheduler.look_at_everything()
    await other.drain()
    assert cluster.all(JOB) == []
    assert "create_job" not in cluster.calls
    assert cluster.calls.count("get_schedule") == (0 if others else 1)
    assert cluster.calls.count("list_schedules") == (1 if others else 0)


async def test_a_schedule_deleted_unseen_is_not_launched(cluster, clock) -> None:
    house = House(cluster, clock)
    house.apply()
    await settled(house)
    other = await standing_by(house)
    cluster.remove(SCHEDULE, "team", "marketing")
    await clock.advance(31)
    other.scheduler.look_at_everything()
    await other.drain()
    assert cluster.all(JOB) == []
    assert len(other.table) == 0


async def test_what_cannot_be_read_again_is_not_launched_yet(cluster, clock) -> None:
    house = House(cluster, clock)
    house.apply()
    await settled(house)
    other = await standing_by(house)
    cluster.faults = [Fault("get_schedule", Unavailable("down"))]
    await clock.advance(31)
    other.scheduler.look_at_everything()
    await other.run_once()
    assert cluster.all(JOB) == []
    await clock.advance(2)
    await other.drain()
    assert len(cluster.all(JOB)) == 1
