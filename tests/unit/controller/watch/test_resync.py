"""Resync: the table becomes what the server holds, whatever the watch missed."""

import asyncio

import pytest

from controller.cluster.memory import JOB, POD, SCHEDULE, Fault
from controller.cluster.port import Refused, Unavailable
from controller.model import names
from controller.table import Table
from controller.watch.resync import Resync
from tests.unit.controller.conftest import schedule_body

LABELS = {names.LABEL_MANAGED_BY: names.MANAGED_BY}


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def gone() -> list:
    return []


@pytest.fixture
def resync(cluster, clock, table, gone) -> Resync:
    return Resync(
        cluster, table, clock, ("team", "other"), 300, lambda kind, count: gone.append((kind, count))
    )


def job(cluster, name: str = "j") -> str:
    made = cluster.apply(JOB, {"metadata": {"name": name, "namespace": "team", "labels": LABELS}})
    uid = made["metadata"]["uid"]
    owner = [{"kind": "Job", "name": name, "uid": uid, "controller": True}]
    cluster.apply(
        POD,
        {"metadata": {"name": f"{name}-x", "namespace": "team", "labels": LABELS, "ownerReferences": owner}},
    )
    return uid


async def test_all_namespaces_are_read(resync, cluster, table) -> None:
    cluster.apply(SCHEDULE, schedule_body("a", "team"))
    cluster.apply(SCHEDULE, schedule_body("b", "other"))
    cluster.apply(SCHEDULE, schedule_body("c", "not ours"))
    uid = job(cluster)
    assert await resync.round()
    assert sorted(entry.schedule.name for entry in table.entries()) == ["a", "b"]
    assert table.job(uid).pod is not None
    assert resync.done.is_set()
    assert resync.age() == 0


async def test_d11_what_vanished_unseen_is_dropped_and_counted(resync, cluster, table, gone) -> None:
    cluster.apply(SCHEDULE, schedule_body("a", "team"))
    uid = job(cluster)
    await resync.round()
    cluster.remove(POD, "team", "j-x")
    cluster.remove(SCHEDULE, "team", "a")
    await resync.round()
    assert gone == [("Pod", 1), ("GscSyncSchedule", 1)]
    assert table.job(uid).pod.gone
    cluster.remove(JOB, "team", "j")
    await resync.round()
    assert gone[2:] == [("Job", 1)]
    assert (len(table), table.job(uid)) == (0, None)


async def test_a_failed_round_drops_nothing_and_is_repeated_soon(resync, cluster, clock, table) -> None:
    cluster.apply(SCHEDULE, schedule_body("a", "team"))
    await resync.round()
    cluster.remove(SCHEDULE, "team", "a")
    cluster.faults = [Fault("list_schedules", Unavailable("down"), times=2)]
    task = asyncio.create_task(resync.run())
    await clock.advance(1)
    assert len(table) == 1
    await clock.advance(5)
    assert len(table) == 0
    assert resync.age() == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_namespace_that_refuses_us_is_named_and_the_others_are_served(resync, cluster, table) -> None:
    cluster.apply(SCHEDULE, schedule_body("b", "other"))
    cluster.faults = [Fault("list_jobs", Refused("forbidden"))]
    assert await resync.round()
    assert resync.refused == {"team": "forbidden"}
    assert len(table) == 1
    await resync.round()
    assert resync.refused == {}


async def test_it_runs_at_its_time_and_when_asked(resync, cluster, clock) -> None:
    assert resync.age() is None
    task = asyncio.create_task(resync.run())
    await clock.advance(299)
    assert cluster.calls.count("list_schedules") == 2
    resync.ask()
    await clock.advance(0.5)
    assert cluster.calls.count("list_schedules") == 4
    await clock.advance(300)
    assert cluster.calls.count("list_schedules") == 6
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_asks_during_a_round_shares_it_and_who_needs_a_later_one_gets_it(
    resync, cluster, clock
) -> None:
    began = clock.monotonic()
    first, second = asyncio.create_task(resync.round()), asyncio.create_task(resync.since(began))
    assert await asyncio.gather(first, second) == [True, True]
    assert cluster.calls.count("list_schedules") == 2, "one for each namespace"
    assert resync.covers(began)
    await clock.advance(1)
    assert not resync.covers(clock.monotonic())
    assert await resync.since(clock.monotonic())
    assert cluster.calls.count("list_schedules") == 4


async def test_a_failed_round_covers_nothing(resync, cluster, clock) -> None:
    cluster.faults = [Fault("list_jobs", Unavailable("down"))]
    assert not await resync.since(clock.monotonic())
    assert not resync.covers(clock.monotonic())
