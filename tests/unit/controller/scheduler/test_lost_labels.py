"""Stories of Jobs whose labels somebody takes off: a mutating webhook at the create, or a hand later. No watch shows them.

Each of them is found by its owner and its name, and never launched a second time.
"""

from typing import Any

import pytest

from controller.cluster.memory import EVENT, JOB, Fault, MemoryCluster
from controller.cluster.port import Unavailable
from controller.decide.conditions import UNLABELLED
from controller.model.names import GROUP, LABEL_MANAGED_BY
from controller.model.status import ConditionType
from tests.unit.controller.house import CrashError, House


class StrippingCluster(MemoryCluster):
    """A webhook takes labels off each Job that is created: all of them, or ours alone."""

    strips: Any = staticmethod(lambda _label: True)

    async def create_job(self, namespace: str, body: Any) -> Any:
        labels = body["metadata"]["labels"]
        kept = {label: value for label, value in labels.items() if not self.strips(label)}
        return await super().create_job(namespace, {**body, "metadata": {**body["metadata"], "labels": kept}})


@pytest.fixture
def cluster(clock) -> StrippingCluster:
    return StrippingCluster(clock)


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


async def launched(house: House) -> dict[str, Any]:
    """The slot of four o'clock has its Job."""
    house.apply(schedule="*/10 * * * *", timeoutSeconds=3600, pendingDeadlineSeconds=3600)
    await house.settle()
    await house.at(4)
    (job,) = house.jobs()
    return job


def made(house: House) -> int:
    return house.cluster.calls.count("create_job")


def hindered(house: House) -> tuple[str, str]:
    condition = house.status().condition(ConditionType.RECONCILING)
    assert condition is not None
    return condition.reason, condition.message


STRIPS = {
    "all labels": lambda _label: True,
    "ours, but not who manages it": lambda label: label.startswith(GROUP),
    "who manages it alone": lambda label: label == LABEL_MANAGED_BY,
}


@pytest.mark.parametrize("strips", STRIPS.values(), ids=STRIPS.keys())
async def test_a_job_that_was_stored_without_its_labels_is_ours_and_followed_by_its_name(
    house, cluster, strips
) -> None:
    cluster.strips = strips
    job = await launched(house)
    assert [launch.job_name for launch in house.status().active] == [job["metadata"]["name"]]
    assert house.status().history == ()
    reason, message = hindered(house)
    assert reason == UNLABELLED
    for words in (job["metadata"]["name"], "MutatingWebhookConfiguration", LABEL_MANAGED_BY):
        assert words in message
    assert not message.endswith("…")
    for _ in range(3):
        await house.resync.round()
        await house.wait(150)
    assert made(house) == 1
    told = [event for event in cluster.all(EVENT) if event["reason"] == "SyncJobLabelsRemoved"]
    assert len(told) == 1

    house.finish(job, 0)
    await house.wait(61)
    [run] = house.status().history
    assert (run.outcome, run.launches) == ("Succeeded", 1)
    assert made(house) <= 2, "that of the next slot"


async def test_the_next_operator_finds_it_by_its_name(house) -> None:
    job = await launched(house)
    await house.restart()
    await house.settle()
    await house.wait(120)
    assert made(house) == 1
    assert [launch.job_name for launch in house.status().active] == [job["metadata"]["name"]]


async def test_an_operator_that_dies_after_the_create_adopts_it(house) -> None:
    house.apply()
    await house.settle()
    await house.clock.advance(31)
    house.cluster.faults = [Fault("create_job", CrashError(), after=True)]
    with pytest.raises(CrashError):
        await house.settle()
    house.cluster.faults = []
    await house.restart()
    await house.settle()
    (job,) = house.jobs()
    [launch] = house.status().active
    assert (launch.job_name, launch.attempt) == (job["metadata"]["name"], 1)
    assert house.status().history == ()


async def test_when_nobody_can_say_whether_it_is_gone_nothing_is_launched(house) -> None:
    await launched(house)
    await house.restart()
    house.cluster.faults = [Fault("get_job", Unavailable("down"), times=3)]
    await house.settle()
    assert made(house) == 1
    await house.wait(60)
    assert made(house) == 1
    assert len(house.status().active) == 1


async def test_labels_taken_off_a_job_that_runs_are_no_end_of_it(house, cluster) -> None:
    cluster.strips = lambda _label: False
    job = await launched(house)
    name = job["metadata"]["name"]
    cluster.change(JOB, "team", name, {"metadata": {"labels": None}})
    await house.settle()
    assert made(house) == 1
    assert [launch.job_name for launch in house.status().active] == [name]
    assert hindered(house)[0] == UNLABELLED
    cluster.change(JOB, "team", name, {"metadata": {"labels": job["metadata"]["labels"]}})
    await house.settle()
    assert hindered(house)[0] == "AsExpected"


async def test_when_it_is_gone_in_truth_its_run_goes_on(house, cluster) -> None:
    job = await launched(house)
    cluster.remove(JOB, "team", job["metadata"]["name"])
    await house.wait(61)
    assert made(house) == 2
    assert house.status().counters.unknown == 1


async def test_one_that_was_stored_with_its_labels_costs_no_further_question(house, cluster) -> None:
    cluster.strips = lambda _label: False
    await launched(house)
    cluster.calls.clear()
    await house.wait(300)
    assert not {"get_job", "list_jobs"} & set(cluster.calls)
