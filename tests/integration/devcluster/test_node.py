"""A real pod on a real node: under every restriction the product's pods have, it reaches what they have to reach.

Uses the cluster that is up, and otherwise starts one and takes it down.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from devcluster import api, node
from tests.integration.devcluster.pods import Kubectl, load_probe, pod

pytestmark = [pytest.mark.needs_node, pytest.mark.timeout(900)]
NAMESPACE = "devcluster-probe"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api.Cluster]:
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    there = node.holder()
    with api.whole_cluster(there.name if there else "default") as up:
        load_probe(up, tmp_path_factory.mktemp("probe"))
        yield up


@pytest.fixture
def kubectl(cluster: api.Cluster) -> Iterator[Kubectl]:
    call = Kubectl(cluster.kubeconfig, NAMESPACE)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    call.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    yield call
    call("delete", "namespace", NAMESPACE, "--timeout=60s")


def test_a_job_runs_under_every_restriction_and_reaches_names_services_and_the_api_server(
    kubectl: Kubectl,
) -> None:
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "peer", "labels": {"app": "peer"}},
            "spec": pod("serve"),
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "peer"},
            "spec": {"selector": {"app": "peer"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    kubectl("wait", "pod/peer", "--for=condition=Ready", "--timeout=60s")
    kubectl.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "probe"},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": pod(env=[{"name": "PEER", "value": "http://peer"}])},
            },
        }
    )
    kubectl("wait", "job/probe", "--for=condition=Failed", "--timeout=60s")

    (ended,) = kubectl.get("pods", "-l", "job-name=probe")["items"]
    state = ended["status"]["containerStatuses"][0]["state"]["terminated"]
    assert state["exitCode"] == 75
    assert json.loads(state["message"]) == {
        "uid": 10001,
        "service": ["198.19.128.1"],
        "short": ["198.19.128.1"],
        "apiServer": f"system:serviceaccount:{NAMESPACE}:default",
        "peer": "hello from the other pod",
        "rootIsFixed": True,
        "scratch": True,
        "missingSecretIsEmpty": True,
        "capabilities": "0000000000000000",
        "seccomp": "2",
        "problems": None,
    }
    assert json.loads(kubectl("logs", "job/probe")) == json.loads(state["message"])
