"""The contract of `controller.cluster.port`, as cases that run on every adapter: the dict and a real API server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from controller.act import manifest
from controller.cluster.port import AlreadyExists, Cluster, Conflict, NotFound
from controller.model.decision import Launch
from controller.model.parse import parse_schedule
from controller.settings import Settings

SLOT = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


class Bench(Protocol):
    """A cluster, a namespace of its own, and what users and strangers do there."""

    cluster: Cluster
    namespace: str

    async def make_schedule(self, name: str) -> dict[str, Any]: ...

    async def make_config(self, name: str, data: dict[str, str]) -> None: ...

    async def make_foreign_job(self, name: str) -> dict[str, Any]: ...


async def job_for(bench: Bench, schedule: dict[str, Any], name: str) -> dict[str, Any]:
    return manifest.job(Launch(name, "1", SLOT, "Cron", 1, 1), parse_schedule(schedule), Settings())


async def names_of(listing) -> list[str]:
    return sorted([body["metadata"]["name"] async for body in listing])


async def a_schedule_is_listed_and_read(bench: Bench) -> None:
    made = await bench.make_schedule("listed")
    for namespace in (bench.namespace, ""):
        assert "listed" in await names_of(bench.cluster.list_schedules(namespace))
    read = await bench.cluster.get_schedule(bench.namespace, "listed")
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    assert parse_schedule(read).spec is not None, parse_schedule(read).problem
    with pytest.raises(NotFound):
        await bench.cluster.get_schedule(bench.namespace, "nobody")


async def a_job_is_created_once(bench: Bench) -> None:
    body = await job_for(bench, await bench.make_schedule("creates"), "once")
    made = await bench.cluster.create_job(bench.namespace, body)
    assert made["metadata"]["uid"]
    assert int(made["metadata"]["resourceVersion"]) > 0
    with pytest.raises(AlreadyExists):
        await bench.cluster.create_job(bench.namespace, body)
    read = await bench.cluster.get_job(bench.namespace, "once")
    assert read["metadata"]["labels"] == body["metadata"]["labels"]


async def only_jobs_of_ours_are_listed_but_any_can_be_read(bench: Bench) -> None:
    await bench.cluster.create_job(
        bench.namespace, await job_for(bench, await bench.make_schedule("lists"), "ours")
    )
    await bench.make_foreign_job("theirs")
    listed = await names_of(bench.cluster.list_jobs(bench.namespace))
    assert "ours" in listed
    assert "theirs" not in listed
    assert (await bench.cluster.get_job(bench.namespace, "theirs"))["metadata"]["uid"]
    with pytest.raises(NotFound):
        await bench.cluster.get_job(bench.namespace, "nobodys")


async def jobs_of_some_schedules_are_listed_without_the_others(bench: Bench) -> None:
    for name in ("wanted", "unwanted", "also-wanted"):
        body = await job_for(bench, await bench.make_schedule(name), f"job-of-{name}")
        await bench.cluster.create_job(bench.namespace, body)
    listed = await names_of(bench.cluster.list_jobs(bench.namespace, ["wanted", "also-wanted", "none"]))
    assert sorted(listed) == ["job-of-also-wanted", "job-of-wanted"]
    assert await names_of(bench.cluster.list_pods(bench.namespace, ["none"])) == []


async def a_delete_takes_the_very_job_that_was_meant(bench: Bench) -> None:
    made = await bench.cluster.create_job(
        bench.namespace, await job_for(bench, await bench.make_schedule("deletes"), "doomed")
    )
    with pytest.raises(Conflict):
        await bench.cluster.delete_job(bench.namespace, "doomed", "00000000-0000-4000-8000-999999999999")
    await bench.cluster.delete_job(bench.namespace, "doomed", made["metadata"]["uid"])
    try:
        left = await bench.cluster.get_job(bench.namespace, "doomed")
    except NotFound:
        pass
    else:
        assert left["metadata"]["deletionTimestamp"], "foreground: it stands until its pods are gone"
    with pytest.raises(NotFound):
        await bench.cluster.delete_job(bench.namespace, "never-was", "00000000-0000-4000-8000-999999999999")


async def a_status_is_written_from_the_present_version_only(bench: Bench) -> None:
    made = await bench.make_schedule("patches")
    first = made["metadata"]["resourceVersion"]
    answer = await bench.cluster.patch_status(bench.namespace, "patches", first, {"observedGeneration": 1})
    assert answer["status"]["observedGeneration"] == 1
    assert int(answer["metadata"]["resourceVersion"]) > int(first)
    assert answer["metadata"]["generation"] == made["metadata"]["generation"], (
        "a status is no change of the spec"
    )
    with pytest.raises(Conflict):
        await bench.cluster.patch_status(bench.namespace, "patches", first, {"observedGeneration": 2})
    second = answer["metadata"]["resourceVersion"]
    same = await bench.cluster.patch_status(bench.namespace, "patches", second, {"observedGeneration": 1})
    assert same["metadata"]["resourceVersion"] == second, "writing the same is no write"
    cleared = await bench.cluster.patch_status(
        bench.namespace, "patches", second, {"observedGeneration": None}
    )
    assert "observedGeneration" not in cleared.get("status", {})
    with pytest.raises(NotFound):
        await bench.cluster.patch_status(bench.namespace, "nobody", "1", {"observedGeneration": 1})


async def of_many_writers_from_one_version_one_wins(bench: Bench) -> None:
    made = await bench.make_schedule("contended")
    version = made["metadata"]["resourceVersion"]
    results = await asyncio.gather(
        *(
            bench.cluster.patch_status(bench.namespace, "contended", version, {"observedGeneration": number})
            for number in range(1, 9)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, (dict, Conflict)) for result in results)


async def of_many_creators_one_wins(bench: Bench) -> None:
    body = await job_for(bench, await bench.make_schedule("raced"), "race")
    results = await asyncio.gather(
        *(bench.cluster.create_job(bench.namespace, body) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, (dict, AlreadyExists)) for result in results)


async def a_lease_is_replaced_from_the_present_version_only(bench: Bench) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "term", "namespace": bench.namespace},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
    }
    with pytest.raises(NotFound):
        await bench.cluster.get_lease(bench.namespace, "term")
    made = await bench.cluster.create_lease(bench.namespace, body)
    with pytest.raises(AlreadyExists):
        await bench.cluster.create_lease(bench.namespace, body)
    fresh = {**made, "spec": {**made["spec"], "holderIdentity": "two"}}
    await bench.cluster.replace_lease(bench.namespace, "term", fresh)
    with pytest.raises(Conflict):
        await bench.cluster.replace_lease(bench.namespace, "term", fresh)
    assert (await bench.cluster.get_lease(bench.namespace, "term"))["spec"]["holderIdentity"] == "two"


async def a_config_is_read(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.cluster.get_config(bench.namespace, "none")
    await bench.make_config("switch", {"mode": "hold"})
    assert (await bench.cluster.get_config(bench.namespace, "switch"))["data"] == {"mode": "hold"}


async def an_event_is_made_and_counted(bench: Bench) -> None:
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "told", "namespace": bench.namespace},
        "eventTime": "2026-11-26T04:00:00.000000Z",
        "reportingController": "gscsync.io/gsc-sync-operator",
        "reportingInstance": "test",
        "action": "SyncFailed",
        "reason": "SyncFailed",
        "type": "Warning",
        "note": "first",
        "regarding": {"kind": "GscSyncSchedule", "namespace": bench.namespace, "name": "x", "uid": "u"},
    }
    await bench.cluster.create_event(bench.namespace, body)
    patch = {"series": {"count": 2, "lastObservedTime": "2026-11-26T04:01:00.000000Z"}}
    counted = await bench.cluster.patch_event(bench.namespace, "told", patch)
    assert counted["series"]["count"] == 2
    assert counted["note"] == "first"
    with pytest.raises(NotFound):
        await bench.cluster.patch_event(bench.namespace, "never", patch)


async def the_server_tells_its_time_and_what_is_missing(bench: Bench) -> None:
    told = await bench.cluster.server_time()
    assert told.tzinfo is not None
    assert told.microsecond == 0
    assert await bench.cluster.problems((bench.namespace,)) == []


CASES = (
    a_schedule_is_listed_and_read,
    a_job_is_created_once,
    only_jobs_of_ours_are_listed_but_any_can_be_read,
    jobs_of_some_schedules_are_listed_without_the_others,
    a_delete_takes_the_very_job_that_was_meant,
    a_status_is_written_from_the_present_version_only,
    of_many_writers_from_one_version_one_wins,
    of_many_creators_one_wins,
    a_lease_is_replaced_from_the_present_version_only,
    a_config_is_read,
    an_event_is_made_and_counted,
    the_server_tells_its_time_and_what_is_missing,
)
