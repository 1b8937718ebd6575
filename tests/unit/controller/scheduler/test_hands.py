"""Writes go on beside the turns: nobody's slot waits for another's status, and one schedule is done step by step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.cluster.memory import Fault, MemoryCluster
from tests.unit.controller.house import House


class SlowCluster(MemoryCluster):
    """Statuses are answered while the door is open; whatever else, at once."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.door = asyncio.Event()
        self.door.set()
        self.at_the_door = 0

    async def patch_status(self, namespace: str, name: str, resource_version: str, status: Any) -> Any:
        self.at_the_door += 1
        await self.door.wait()
        return await super().patch_status(namespace, name, resource_version, status)


@pytest.fixture
def cluster(clock) -> SlowCluster:
    return SlowCluster(clock)


@pytest.fixture
async def house(cluster, clock) -> Any:
    made = House(cluster, clock)
    made.apply("one")
    made.apply("two", schedule="1 4 * * *")
    await made.settle()
    cluster.at_the_door = 0
    running = asyncio.create_task(made.scheduler.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_slot_does_not_wait_for_the_status_of_another_schedule(house, cluster, clock) -> None:
    cluster.door.clear()
    await clock.advance(35)
    assert [job["metadata"]["labels"]["gscsync.io/schedule"] for job in house.jobs()] == ["one"]
    assert cluster.at_the_door == 1
    assert house.scheduler.pending() == 1
    await clock.advance(60)
    assert len(house.jobs()) == 2, "the second slot came while the first status was on its way"
    assert house.status("one").counters.launches == 0
    cluster.door.set()
    await clock.advance(1)
    assert [house.status(name).counters.launches for name in ("one", "two")] == [1, 1]
    assert house.scheduler.pending() == 0


async def test_what_is_in_hand_is_not_decided_again_before_its_write_is_over(house, cluster, clock) -> None:
    cluster.door.clear()
    await clock.advance(35)
    waiting = cluster.at_the_door
    (job,) = house.jobs()
    house.finish(job, 0)
    await clock.advance(5)
    assert cluster.at_the_door == waiting, "the end of the Job is news, and has to wait"
    cluster.door.set()
    await clock.advance(5)
    counters = house.status("one").counters
    assert (counters.launches, counters.succeeded) == (1, 1)


async def test_it_is_at_rest_once_everything_is_written(house, cluster, clock) -> None:
    cluster.door.clear()
    await clock.advance(35)
    resting = asyncio.create_task(house.scheduler.rest())
    await clock.advance(1)
    assert not resting.done()
    cluster.door.set()
    await clock.advance(1)
    assert resting.done()


async def test_what_nobody_understands_in_a_write_ends_the_loop(cluster, clock) -> None:
    house = House(cluster, clock)
    house.apply("one")
    cluster.faults = [Fault("patch_status", RuntimeError("a bug"))]
    running = asyncio.create_task(house.scheduler.run())
    await clock.advance(1)
    with pytest.raises(RuntimeError, match="a bug"):
        await running
