"""The Lease: one leader at a time, and nobody believes to lead longer than is safe."""

import asyncio
from datetime import UTC, datetime

import pytest

from controller.clock import ManualClock
from controller.cluster.gate import GatedCluster
from controller.cluster.lease import Lease, Terms
from controller.cluster.memory import LEASE, Fault, MemoryCluster
from controller.cluster.port import Conflict, NotLeader, Unavailable

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def cluster(clock: ManualClock) -> MemoryCluster:
    return MemoryCluster(clock)


def lease(cluster: MemoryCluster, clock: ManualClock, identity: str) -> Lease:
    return Lease(cluster, clock, Terms("system", "operator", identity))


async def started(coroutine) -> asyncio.Task:
    task = asyncio.create_task(coroutine)
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def ended(task: asyncio.Task) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def spec(cluster: MemoryCluster) -> dict:
    return cluster.all(LEASE)[0]["spec"]


async def test_the_first_takes_it_and_the_second_waits(cluster, clock) -> None:
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    await one.acquire()
    holding = await started(one.hold())
    waiting = await started(two.acquire())
    await clock.advance(60)
    assert one.is_leading()
    assert not two.is_leading()
    assert spec(cluster)["holderIdentity"] == "one"
    await ended(holding)
    await ended(waiting)


async def test_a_dead_leaders_place_is_taken_after_the_lease_duration(cluster, clock) -> None:
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    await one.acquire()
    waiting = await started(two.acquire())
    await clock.advance(14)
    assert not two.is_leading()
    await clock.advance(4)
    assert two.is_leading()
    assert not one.is_leading()
    assert spec(cluster)["leaseTransitions"] == 1
    await waiting


async def test_a_released_lease_is_taken_at_once(cluster, clock) -> None:
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    await one.acquire()
    waiting = await started(two.acquire())
    await one.release()
    assert not one.is_leading()
    await clock.advance(2)
    assert two.is_leading()
    await waiting


async def test_a_leader_that_cannot_renew_stops_before_another_may_start(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    cluster.faults.append(Fault("get_lease", Unavailable("down"), times=100))
    holding = await started(one.hold())
    await clock.advance(9)
    assert one.is_leading()
    await clock.advance(1.5)
    assert not one.is_leading()
    await clock.advance(5)
    assert holding.done()


async def test_d8_a_frozen_leader_knows_at_its_next_write(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    gated = GatedCluster(cluster, one.is_leading)
    await gated.create_job("team", {"metadata": {"name": "before"}})
    clock._monotonic += 11  # the process stood still: no task ran, no timer fired
    for write in (
        gated.create_job("team", {"metadata": {"name": "after"}}),
        gated.delete_job("team", "before", "uid"),
        gated.patch_status("team", "x", "1", {}),
        gated.create_event("team", {"metadata": {"name": "e"}}),
        gated.patch_event("team", "e", {}),
    ):
        with pytest.raises(NotLeader):
            await write
    assert [call for call in cluster.calls if call == "create_job"] == ["create_job"]


async def test_seeing_another_holder_ends_leadership_at_once(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    holding = await started(one.hold())
    cluster.change(LEASE, "system", "operator", {"spec": {"holderIdentity": "two", "renewTime": "now"}})
    await clock.advance(4)
    assert not one.is_leading()
    assert holding.done()


async def test_two_takers_of_an_expired_lease_cannot_both_win(cluster, clock) -> None:
    dead = lease(cluster, clock, "dead")
    await dead.acquire()
    takers = [lease(cluster, clock, name) for name in ("one", "two")]
    tasks = [await started(taker.acquire()) for taker in takers]
    await clock.advance(18)
    assert sum(taker.is_leading() for taker in takers) == 1
    for task in tasks:
        await ended(task)


async def test_a_conflict_while_taking_is_no_win(cluster, clock) -> None:
    dead = lease(cluster, clock, "dead")
    await dead.acquire()
    cluster.faults.append(Fault("replace_lease", Conflict("somebody was faster")))
    one = lease(cluster, clock, "one")
    task = await started(one.acquire())
    await clock.advance(16)
    assert not one.is_leading()
    await clock.advance(3)
    assert one.is_leading()
    await task


async def test_a_lost_answer_to_a_renewal_is_not_counted_as_one(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    cluster.faults.append(Fault("replace_lease", Unavailable("lost"), after=True, times=100))
    holding = await started(one.hold())
    await clock.advance(11)
    assert not one.is_leading()
    await ended(holding)


async def test_a_failed_renewal_is_tried_again_soon(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    holding = await started(one.hold())
    cluster.faults.append(Fault("get_lease", Unavailable("slow"), times=6))
    await clock.advance(9)
    assert cluster.calls.count("replace_lease") == 1
    assert one.is_leading()
    await clock.advance(3)
    assert one.is_leading()
    await ended(holding)


async def test_each_renewal_tells(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    renewed: list[float] = []

    async def note() -> None:
        renewed.append(clock.monotonic())

    holding = await started(one.hold(note))
    await clock.advance(20.5)
    assert len(renewed) == 6
    assert one._terms.request_seconds < one._terms.interval
    await ended(holding)


async def test_releasing_what_another_holds_leaves_it_alone(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    cluster.change(LEASE, "system", "operator", {"spec": {"holderIdentity": "two"}})
    await one.release()
    assert spec(cluster)["holderIdentity"] == "two"


async def test_releasing_with_the_server_down_is_harmless(cluster, clock) -> None:
    await lease(cluster, clock, "never held").release()
    assert cluster.calls == []
    one = lease(cluster, clock, "one")
    await one.acquire()
    cluster.faults.append(Fault("get_lease", Unavailable("down")))
    await one.release()
    assert not one.is_leading()


async def test_it_is_steady_while_it_is_answered_and_awake(cluster, clock) -> None:
    began = clock.monotonic()
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    assert not two.tried.is_set()
    await one.acquire()
    holding, waiting = await started(one.hold()), await started(two.acquire())
    assert two.tried.is_set()
    await clock.advance(60)
    assert one.steady_since == two.steady_since == began
    cluster.faults.append(Fault("get_lease", Unavailable("down"), times=20))
    await clock.advance(60)
    assert two.steady_since > began + 60, "what it saw before the outage counts as old"
    await ended(holding)
    await ended(waiting)


async def test_a_term_begins_when_the_answer_came(cluster, clock) -> None:
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    await one.acquire()
    assert one.held_since == clock.monotonic()
    waiting = await started(two.acquire())
    await clock.advance(20)
    await waiting
    assert two.held_since > one.held_since
    began = two.held_since
    holding = await started(two.hold())
    await clock.advance(20)
    assert two.held_since == began, "a renewal begins none"
    await ended(holding)


async def test_who_waits_asks_again_the_moment_it_runs_out(cluster, clock) -> None:
    one, two = lease(cluster, clock, "one"), lease(cluster, clock, "two")
    await one.acquire()
    waiting = await started(two.acquire())
    await clock.advance(14.9)
    assert not two.is_leading()
    await clock.advance(0.1)
    assert two.is_leading()
    await waiting


async def test_who_gave_it_up_does_not_take_it_again(cluster, clock) -> None:
    one = lease(cluster, clock, "one")
    await one.acquire()
    holding = await started(one.hold())
    await one.release()
    again = await started(one.acquire())
    await clock.advance(60)
    assert spec(cluster)["holderIdentity"] == ""
    await ended(holding)
    await ended(again)
