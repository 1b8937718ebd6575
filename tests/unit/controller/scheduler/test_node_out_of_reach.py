"""The story of a node that does not answer: its pod stays, so its Job stays, and the schedule says so by itself."""

import asyncio

import pytest

from controller.cluster.memory import JOB, POD, MemoryCluster
from controller.decide.conditions import STUCK
from controller.model.status import ConditionType
from tests.unit.controller.house import House


@pytest.fixture
def house(cluster: MemoryCluster, clock) -> House:
    return House(cluster, clock)


def ready(house: House) -> tuple[str, str, str]:
    condition = house.status().condition(ConditionType.READY)
    assert condition is not None
    return condition.status, condition.reason, condition.message


def runs_on(house: House, node: str) -> None:
    """The pod of the one Job runs there, and will not go."""
    (job,) = house.jobs()
    meta = job["metadata"]
    house.cluster.apply(
        POD,
        {
            "metadata": {
                "name": f"{meta['name']}-x",
                "namespace": meta["namespace"],
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [
                    {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
                ],
            },
            "spec": {"nodeName": node},
            "status": {
                "containerStatuses": [{"name": "sync", "state": {"running": {"startedAt": "2026-11-26T04:00:01Z"}}}]
            },
        },
    )  # fmt: skip


async def test_a_timed_out_job_on_a_dead_node_is_told_of_and_when_it_is_gone_all_goes_on(
    house, cluster, clock
) -> None:
    house.apply(timeoutSeconds=60, retry={"maxAttempts": 2})
    await house.settle()
    await house.at(4)
    runs_on(house, "n1")
    loop = asyncio.create_task(house.scheduler.run())
    await clock.advance(95)
    (job,) = cluster.all(JOB)
    assert job["metadata"]["deletionTimestamp"], "it took longer than its time"
    await clock.advance(320)
    assert ready(house)[:2] == ("True", "Serving"), "it may only take its time"
    await clock.advance(20)
    status, reason, message = ready(house)
    assert (status, reason) == ("False", STUCK)
    assert job["metadata"]["name"] in message
    assert "node n1" in message

    house.scheduler.look_at_everything()
    await clock.advance(3600)
    assert len(cluster.all(JOB)) == 1, "nothing runs beside it"
    cluster.sweep()
    await clock.advance(60)
    assert ready(house)[:2] == ("True", "Serving")
    (retry,) = cluster.all(JOB)
    assert retry["metadata"]["labels"]["gscsync.io/attempt"] == "2"
    await house._record_events()
    assert house.events().count("SyncJobStuck") == 1
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def test_the_next_operator_takes_it_up_where_it_stands(house, cluster) -> None:
    house.apply(timeoutSeconds=60)
    await house.settle()
    await house.at(4)
    runs_on(house, "n1")
    await house.wait(95)
    await house.wait(400)
    assert ready(house)[1] == STUCK
    writes = cluster.calls.count("patch_status")
    await house.restart()
    await house.settle()
    assert ready(house)[1] == STUCK
    assert cluster.calls.count("patch_status") == writes, "there is nothing new to say"
    assert house.events().count("SyncJobStuck") == 1


async def test_that_a_pod_got_a_node_is_no_news(house, cluster) -> None:
    """Each of thousands of launches would be decided once more for it."""
    house.apply()
    await house.settle()
    await house.at(4)
    (job,) = house.jobs()
    meta = job["metadata"]
    pod = {
        "metadata": {
            "name": f"{meta['name']}-x",
            "namespace": meta["namespace"],
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [
                {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
            ],
        },
        "status": {},
    }
    cluster.apply(POD, pod)
    await house.settle()
    cluster.change(POD, "team", f"{meta['name']}-x", {"spec": {"nodeName": "n1"}})
    assert not house.table.wake.is_set()
    record = house.table.job(meta["uid"])
    assert record is not None
    assert record.pod is not None
    assert record.pod.node == "n1"
