"""A term begins with what is known when it can be trusted, and with a comparison when it cannot."""

from __future__ import annotations

import asyncio

import pytest

from controller.cluster.lease import Lease, Terms
from controller.cluster.memory import Fault
from controller.cluster.port import Unavailable
from controller.cluster.skew import Skew
from controller.table import Table
from controller.term import COMPARE_SECONDS, Term
from controller.watch.resync import Resync
from controller.watch.switch import Switch


class Replica:
    def __init__(self, cluster, clock, name: str) -> None:
        self.begun = 0
        self.lease = Lease(cluster, clock, Terms("system", "operator", name))
        self.resync = Resync(cluster, Table(), clock, ("team",), 300)
        switch = Switch(cluster, clock, "system", 10, lambda: None)
        self.term = Term(
            self.lease, self.resync, switch, Skew(cluster, clock), clock,
            elected=True, retry_seconds=2, begun=self._begin,
        )  # fmt: skip

    def _begin(self) -> None:
        self.begun += 1


@pytest.fixture
async def leader_and_standby(cluster, clock):
    replicas = [Replica(cluster, clock, name) for name in ("one", "two")]
    tasks = []
    for replica in replicas:
        tasks += [asyncio.create_task(replica.term.run()), asyncio.create_task(replica.resync.run())]
        await clock.advance(3)
    yield (*replicas, tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_replica_that_stood_by_serves_before_it_lists_and_compares_behind_that(
    cluster, clock, leader_and_standby
) -> None:
    one, two, _ = leader_and_standby
    assert (one.term.serves(), two.term.serves()) == (True, False)
    await one.term.give_up()
    cluster.calls.clear()
    await clock.advance(2)
    assert two.term.serves()
    assert two.begun == 1
    assert not two.term.compared()
    assert "list_schedules" not in cluster.calls
    await clock.advance(COMPARE_SECONDS)
    assert two.term.compared()
    assert "list_schedules" in cluster.calls


async def test_after_an_outage_it_compares_before_it_serves(cluster, clock, leader_and_standby) -> None:
    one, two, tasks = leader_and_standby
    tasks[0].cancel()
    cluster.faults = [Fault("get_lease", Unavailable("down"), times=40)]
    await clock.advance(60)
    cluster.faults = [Fault("list_schedules", Unavailable("still down"), times=1000)]
    await clock.advance(30)
    assert two.lease.is_leading()
    assert not two.term.serves()
    cluster.faults = []
    await clock.advance(6)
    assert two.term.serves()
    assert not one.term.serves()
