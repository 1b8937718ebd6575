"""The contract of the port on the cluster in memory; the same cases run on a real API server."""

import pytest

from controller.cluster.memory import CONFIG, JOB, POD, SCHEDULE, Fault, MemoryCluster
from controller.cluster.port import Unavailable
from tests.unit.controller.conftest import schedule_body
from tests.unit.controller.port_contract import CASES, Bench


class MemoryBench(Bench):
    def __init__(self, cluster: MemoryCluster) -> None:
        self.cluster = cluster
        self.namespace = "team"

    async def make_schedule(self, name: str) -> dict:
        return self.cluster.apply(SCHEDULE, schedule_body(name))

    async def make_config(self, name: str, data: dict[str, str]) -> None:
        self.cluster.apply(CONFIG, {"metadata": {"name": name, "namespace": "team"}, "data": data})

    async def make_foreign_job(self, name: str) -> dict:
        return self.cluster.apply(JOB, {"metadata": {"name": name, "namespace": "team"}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_port(case, cluster) -> None:
    await case(MemoryBench(cluster))


async def test_a_fault_before_leaves_nothing_and_one_after_has_happened(cluster) -> None:
    cluster.faults += [
        Fault("create_job", Unavailable("down")),
        Fault("create_job", Unavailable("lost"), after=True),
    ]
    for _ in range(2):
        with pytest.raises(Unavailable):
            await cluster.create_job("team", {"metadata": {"name": "j"}})
        if cluster.all(JOB):
            break
    assert [call for call in cluster.calls if call == "create_job"] == ["create_job"] * 2
    assert len(cluster.all(JOB)) == 1


async def test_an_owner_takes_what_it_owns_along(cluster) -> None:
    owner = cluster.apply(SCHEDULE, schedule_body())
    references = [{"uid": owner["metadata"]["uid"]}]
    cluster.apply(JOB, {"metadata": {"name": "j", "namespace": "team", "ownerReferences": references}})
    job = cluster.all(JOB)[0]
    cluster.apply(
        POD,
        {
            "metadata": {
                "name": "p",
                "namespace": "team",
                "ownerReferences": [{"uid": job["metadata"]["uid"]}],
            }
        },
    )
    seen = []
    cluster.subscribers.append(lambda kind, what, body: seen.append((kind, what)))
    cluster.remove(SCHEDULE, "team", "marketing")
    assert seen == [(SCHEDULE, "DELETED"), (JOB, "DELETED"), (POD, "DELETED")]


async def test_a_changed_spec_is_a_new_generation(cluster) -> None:
    cluster.apply(SCHEDULE, schedule_body())
    assert cluster.apply(SCHEDULE, schedule_body(suspend=True))["metadata"]["generation"] == 2
    assert cluster.apply(SCHEDULE, schedule_body(suspend=True))["metadata"]["generation"] == 2
