"""The contract of the port on a real API server; the same cases run on the cluster in memory."""

import pytest
import yaml

from controller.cluster.access import read_access
from controller.cluster.kube import KubeCluster
from controller.cluster.port import Refused, Unauthorized, Unavailable
from tests.unit.controller.port_contract import CASES, Bench


class KubeBench(Bench):
    def __init__(self, cluster: KubeCluster, team) -> None:
        self.cluster = cluster
        self.namespace = team.namespace
        self.team = team

    async def make_schedule(self, name: str) -> dict:
        return await self.team.apply(name)

    async def make_config(self, name: str, data: dict[str, str]) -> None:
        await self.team.api.call(
            "POST", self.team.path("configmaps"), {"metadata": {"name": name}, "data": data}
        )

    async def make_foreign_job(self, name: str) -> dict:
        body = {
            "metadata": {"name": name},
            "spec": {
                "suspend": True,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}},
            },
        }
        return await self.team.api.call("POST", self.team.path("jobs"), body)


@pytest.fixture
async def cluster(control_plane):
    made = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig))
    yield made
    await made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_port(case, cluster, team) -> None:
    await case(KubeBench(cluster, team))


async def test_more_than_a_chunk_is_listed_whole(cluster, team) -> None:
    for number in range(7):
        await team.apply(f"s{number}")
    listed = [
        body
        async for body in cluster._list(
            f"/apis/gscsync.io/v1beta1/namespaces/{team.namespace}/gscsyncschedules", chunk=3
        )
    ]
    assert len({body["metadata"]["uid"] for body in listed}) == 7


async def test_missing_rights_are_named_with_the_next_step(control_plane, team) -> None:
    await team.api.call(
        "POST", f"/api/v1/namespaces/{team.namespace}/serviceaccounts", {"metadata": {"name": "nobody"}}
    )
    kubeconfig = control_plane.service_account_kubeconfig(team.namespace, "nobody")
    cluster = await KubeCluster.connect(kubeconfig=str(kubeconfig))
    problems = await cluster.problems((team.namespace,))
    with pytest.raises(Refused, match="forbidden"):
        await cluster.get_job(team.namespace, "x")
    await cluster.close()
    assert any(f"may not create jobs in namespace {team.namespace}" in problem for problem in problems)
    assert not any("does not serve" in problem for problem in problems)


async def test_a_bad_token_is_told_apart_and_read_anew(control_plane, team, tmp_path) -> None:
    await team.api.call(
        "POST", f"/api/v1/namespaces/{team.namespace}/serviceaccounts", {"metadata": {"name": "late"}}
    )
    good = control_plane.service_account_kubeconfig(team.namespace, "late")
    text = good.read_text()
    token = control_plane.service_account_token(team.namespace, "late")
    assert "token" in text
    config = yaml.safe_load(text)
    config["users"][0]["user"]["token"] = "nonsense"
    own = tmp_path / "kubeconfig"
    own.write_text(yaml.safe_dump(config))
    cluster = await KubeCluster.connect(kubeconfig=str(own))
    with pytest.raises(Unauthorized):
        await cluster.server_time()
    config["users"][0]["user"]["token"] = token
    own.write_text(yaml.safe_dump(config))
    with pytest.raises(Unauthorized):
        await cluster.server_time()
    assert await cluster.server_time()
    await cluster.close()


async def test_nobody_there_is_unavailable(tmp_path, control_plane) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    own = tmp_path / "kubeconfig"
    own.write_text(yaml.safe_dump(config))
    cluster = await KubeCluster.connect(kubeconfig=str(own), seconds=2)
    with pytest.raises(Unavailable):
        await cluster.get_job("x", "y")
    await cluster.close()


async def test_without_any_way_to_a_cluster_it_says_so(tmp_path) -> None:
    with pytest.raises(Refused, match="no way to the API server"):
        await read_access(str(tmp_path / "nothing"))
