"""Before a launch the Jobs of the schedules that are due are read anew, and of no others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.cluster.memory import JOB, SCHEDULE, Fault, MemoryCluster
from controller.cluster.port import ClusterError, Throttled, Unavailable
from controller.fresh import FAILURES, FEW
from controller.observe.health import TURN_AGE
from tests.unit.controller.house import House


class AskedCluster(MemoryCluster):
    """Remembers of which schedules Jobs were listed."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.asked: list[tuple[str, ...]] = []
        self.meanwhile: list[Callable[[], None]] = []
        self.wrong: dict[str, ClusterError] = {}
        """By schedule: what is answered when its Jobs are asked for."""

    async def list_jobs(self, namespace: str, schedules: Any = ()) -> Any:
        self.asked.append(tuple(schedules))
        while self.meanwhile:
            self.meanwhile.pop()()
        for name in self.wrong.keys() & set(schedules):
            raise self.wrong[name]
        async for body in super().list_jobs(namespace, schedules):
            yield body


@pytest.fixture
def cluster(clock) -> AskedCluster:
    return AskedCluster(clock)


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


async def test_only_the_jobs_of_those_that_are_due_are_listed(house, cluster) -> None:
    for name in ("one", "two"):
        house.apply(name)
    house.apply("later", schedule="0 5 * * *")
    await house.settle()
    cluster.asked.clear()
    await house.at(4)
    assert cluster.asked == [("one", "two")]


async def test_many_are_asked_for_in_parts(house, cluster) -> None:
    for number in range(FEW + 2):
        house.apply(f"s{number:02}")
    await house.settle()
    cluster.asked.clear()
    await house.at(4)
    assert [len(names) for names in cluster.asked] == [FEW, 2]
    assert len(house.jobs()) == FEW + 2


def launched(house: House) -> set[str]:
    return {job["metadata"]["labels"]["gscsync.io/schedule"] for job in house.jobs()}


async def test_a_part_that_could_not_be_read_holds_up_no_other(house, cluster) -> None:
    names = [f"s{number:03}" for number in range(3 * FEW)]
    for name in names:
        house.apply(name)
    await house.settle()
    cluster.wrong = {"s060": Throttled("too many requests", 1.0)}
    await house.clock.advance(31)
    await house.run_once()
    assert launched(house) == {*names[:FEW], *names[2 * FEW :]}
    cluster.asked.clear()
    cluster.wrong = {}
    await house.wait(1)
    assert launched(house) == set(names)
    assert [set(asked) for asked in cluster.asked] == [set(names[FEW : 2 * FEW])], "only those were set back"


async def test_a_server_out_of_reach_is_not_asked_for_every_part(house, cluster) -> None:
    names = [f"s{number:03}" for number in range((FAILURES + 3) * FEW)]
    for name in names:
        house.apply(name)
    await house.settle()
    cluster.wrong = dict.fromkeys(names[FEW:], Unavailable("down"))
    cluster.asked.clear()
    await house.clock.advance(31)
    await house.run_once()
    assert launched(house) == set(names[:FEW])
    assert len(cluster.asked) == 1 + FAILURES


class SlowCluster(AskedCluster):
    """Each list of Jobs takes most of a minute."""

    async def list_jobs(self, namespace: str, schedules: Any = ()) -> Any:
        if schedules:
            await self._clock.sleep(50)
        async for body in super().list_jobs(namespace, schedules):
            yield body


async def test_reading_for_long_is_a_sign_of_life(clock) -> None:
    """With thousands that are due at a busy API server: whoever ended the turn for it would make it begin anew."""
    cluster = SlowCluster(clock)
    house = House(cluster, clock)
    for number in range(6 * FEW):
        house.apply(f"s{number:03}")
    await house.settle()
    await clock.advance(31)
    turn = asyncio.create_task(house.run_once())
    ages = []
    for _ in range(60):
        await clock.advance(5)
        ages.append(clock.monotonic() - house.scheduler.last_turn)
    await turn
    assert max(ages) < TURN_AGE
    assert len(house.jobs()) == 6 * FEW


async def test_one_status_that_could_not_be_read_again_holds_up_no_other(house, cluster) -> None:
    for name in ("one", "two", "three"):
        house.apply(name)
    await house.settle()
    house.compared = False
    cluster.faults = [Fault("get_schedule", Unavailable("connection lost"))]
    await house.clock.advance(31)
    await house.run_once()
    assert launched(house) == {"two", "three"}
    await house.wait(1)
    assert launched(house) == {"one", "two", "three"}


async def test_a_job_that_lost_its_label_is_not_taken_for_gone(house, cluster) -> None:
    house.apply(schedule="*/2 * * * *", concurrencyPolicy="Allow")
    await house.settle()
    await house.at(4)
    (job,) = house.jobs()
    name = job["metadata"]["name"]
    cluster.subscribers.clear()
    cluster.change(JOB, "team", name, {"metadata": {"labels": {"gscsync.io/schedule": "changed"}}})
    cluster.calls.clear()
    await house.at(4, 2)
    assert "get_job" in cluster.calls
    assert len(house.jobs()) == 2
    assert name in {launch.job_name for launch in house.status().active}, "the first still runs"


async def test_a_job_that_is_gone_unseen_is_found_out(house, cluster) -> None:
    house.apply(schedule="*/2 * * * *", concurrencyPolicy="Allow")
    await house.settle()
    await house.at(4)
    (job,) = house.jobs()
    cluster.subscribers.clear()
    cluster.remove(JOB, "team", job["metadata"]["name"])
    await house.at(4, 2)
    assert sorted(it["metadata"]["labels"]["gscsync.io/launch"] for it in house.jobs()) == ["1", "2"]
    assert house.status().counters.unknown == 1


async def test_a_job_collected_with_its_schedule_is_not_launched_again(house, cluster) -> None:
    """Its deletion is seen, and that of the schedule not yet: the watch is late."""
    house.apply()
    await house.settle()
    await house.at(4)
    (see,) = cluster.subscribers
    cluster.subscribers[:] = [lambda kind, what, body: see(kind, what, body) if kind == JOB else None]
    cluster.remove(SCHEDULE, "team", "marketing")
    assert len(house.table) == 1
    await house.drain()
    assert house.jobs() == []
    assert len(house.table) == 0


async def test_a_clock_that_steps_while_jobs_are_read_decides_nothing(house, cluster, clock) -> None:
    """By ten years: the slots that it would bring are not due."""
    house.apply()
    await house.settle()
    await clock.advance(3600 * 4)
    cluster.meanwhile = [lambda: clock.step(315_360_000)]
    await house.run_once()
    (launch,) = house.status().active
    assert launch.run_id == str(int(datetime(2026, 11, 26, 4, tzinfo=UTC).timestamp()) // 60)
