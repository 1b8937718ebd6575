"""A turn that creates many takes its time: what changes meanwhile counts, and who asks is told that it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.act.pace import Pace
from controller.cluster.memory import SCHEDULE, Fault, MemoryCluster
from controller.cluster.port import Unavailable
from controller.decide.queue import turn
from controller.model.policy import Mode, Policy, Queue
from controller.observe.health import TURN_AGE, Facts, unhealthy
from tests.unit.controller.house import CrashError, House

MANY = 6
SLOT = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


class BusyCluster(MemoryCluster):
    """A create takes its time, and something may happen just before it is answered."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.seconds = 0.0
        self.meanwhile: dict[int, Callable[[], object]] = {}
        """By number of the create."""

    async def create_job(self, namespace: str, body: Any) -> Any:
        if self.seconds:
            await self._clock.sleep(self.seconds)
        created = await super().create_job(namespace, body)
        self.meanwhile.pop(len(self.created()), lambda: None)()
        return created

    def created(self) -> list[str]:
        return [call for call in self.calls if call == "create_job"]


@pytest.fixture
def cluster(clock) -> BusyCluster:
    return BusyCluster(clock)


@pytest.fixture
async def house(cluster, clock) -> House:
    made = House(cluster, clock)
    for number in range(MANY):
        made.apply(f"s{number}")
    await made.settle()
    return made


def launched(house: House) -> list[str]:
    return [job["metadata"]["labels"]["gscsync.io/schedule"] for job in house.jobs()]


def in_line(house: House) -> list[str]:
    """All schedules in the order of their launches at four o'clock: of equals chance decides."""
    uids = {it["metadata"]["name"]: it["metadata"]["uid"] for it in house.cluster.all(SCHEDULE)}
    return sorted(uids, key=lambda name: turn(uids[name], SLOT))


def switch_to(house: House, mode: Mode) -> None:
    house.policy = Policy(mode)
    house.scheduler.look_at_everything()


@pytest.mark.parametrize("mode", [Mode.HOLD, Mode.STOP, Mode.DRAIN])
async def test_the_kill_switch_stops_what_is_left_of_the_turn(house, cluster, mode) -> None:
    cluster.meanwhile = {2: lambda: switch_to(house, mode)}
    await house.at(4)
    first, second, *others = in_line(house)
    assert launched(house) == [first, second]
    cluster.sweep()
    switch_to(house, Mode.RUN)
    await house.settle()
    assert sorted(set(launched(house))) == [f"s{number}" for number in range(MANY)], "none was forgotten"
    assert {house.status(name).counters.runs for name in others} == {0}
    assert [house.status(name).counters.launches for name in others] == [1] * (MANY - 2)


async def test_the_kill_switch_stops_what_waits_for_the_pace(house, clock) -> None:
    """One create in a second; after three the administrator has seen enough."""
    house.scheduler._carrier._pace = Pace(1, clock)
    running = asyncio.create_task(house.scheduler.run())
    await clock.advance(32)
    so_far = launched(house)
    assert 1 < len(so_far) < MANY
    switch_to(house, Mode.HOLD)
    await clock.advance(60)
    assert launched(house) == so_far
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_is_suspended_meanwhile_is_not_launched(house, cluster) -> None:
    *others, last = in_line(house)
    cluster.meanwhile = {1: lambda: house.apply(last, suspend=True)}
    await house.at(4)
    assert launched(house) == others
    assert house.status(last).counters.launches == 0
    house.apply(last)
    await house.settle()
    assert last not in launched(house), "resuming fires no old slot"


async def test_who_is_edited_meanwhile_is_launched_as_it_is_now(house, cluster) -> None:
    *_, last = in_line(house)
    cluster.meanwhile = {1: lambda: house.apply(last, window={"days": 3})}
    await house.at(4)
    assert sorted(launched(house)) == [f"s{number}" for number in range(MANY)]
    assert house.status(last).counters.launches == 1
    (job,) = house.jobs(last)
    assert house.work_order(job).window.days == 3
    assert house.status(last).current.generation == 2


async def test_who_is_deleted_meanwhile_is_not_launched_and_forgotten(house, cluster) -> None:
    *others, last = in_line(house)
    cluster.meanwhile = {1: lambda: cluster.remove(SCHEDULE, "team", last)}
    await house.at(4)
    assert launched(house) == others
    assert len(house.table) == MANY - 1


async def test_a_crowds_debts_are_those_of_the_jobs_that_were_made(cluster, clock) -> None:
    house = House(cluster, clock)
    for number in range(30):
        house.apply(f"s{number:02}")
    await house.settle()
    cluster.meanwhile = {25: lambda: switch_to(house, Mode.HOLD)}
    await clock.advance(31)
    await house.run_once()
    assert len(house.jobs()) == len(house.scheduler._carrier.owed) == 25
    await house.wait(60)
    assert len(house.jobs()) == 25
    assert sum(house.status(f"s{number:02}").counters.launches for number in range(30)) == 25


async def test_a_place_that_was_not_taken_after_all_is_given_to_another(house, cluster) -> None:
    house.policy = Policy(queues={"gsc-sync": Queue(2)})
    first, second, third, *_ = in_line(house)
    cluster.meanwhile = {1: lambda: house.apply(second, suspend=True)}
    await house.at(4)
    assert launched(house) == [first, third]


async def test_what_was_dropped_is_decided_from_what_there_is_when_the_process_dies(house, cluster) -> None:
    def die() -> None:
        raise CrashError

    *others, last = in_line(house)
    cluster.meanwhile = {2: lambda: house.apply(last, suspend=True), 5: die}
    with pytest.raises(CrashError):
        await house.at(4)
    await house.restart()
    await house.settle()
    assert launched(house) == others


# -- signs of life -----------------------------------------------------------------------------------------------------


def judged(house: House) -> list[str]:
    return unhealthy(
        Facts(
            turn_age=house.clock.monotonic() - house.scheduler.last_turn,
            resync_age=1.0,
            resync_seconds=300.0,
            since_start=1000.0,
            clock_bad_for=0.0,
            held="",
        )
    )


@pytest.mark.parametrize("answers", [True, False], ids=["slow", "silent"])
async def test_a_turn_of_slow_creates_is_alive_and_one_of_none_is_not(cluster, clock, answers) -> None:
    house = House(cluster, clock)
    for number in range(400):
        house.apply(f"s{number:03}")
    await house.settle()
    cluster.seconds = 10.0
    if not answers:
        cluster.faults = [Fault("create_job", Unavailable("time-out"), times=400)]
    running = asyncio.create_task(house.scheduler.run())
    await clock.advance(31 + TURN_AGE + 30)
    assert house.scheduler.pending() == 400, "it is all one turn"
    assert (len(house.jobs()) > 200) is answers
    assert bool(judged(house)) is not answers
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
