"""A real pod on a real node: under every restriction the product's pods have, it reaches what they have to reach.

Uses the cluster that is up, and otherwise starts one and takes it down.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import api, oci
from devcluster.build import needed_go
from devcluster.places import Places
from devcluster.tools import ensure_go

pytestmark = [pytest.mark.needs_node, pytest.mark.timeout(900)]
IMAGE = "localhost/gscdev-probe:1"
NAMESPACE = "devcluster-probe"


@pytest.fixture(scope="module")
def cluster() -> Iterator[api.Cluster]:
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    with api.whole_cluster() as up:
        yield up


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory, cluster: api.Cluster) -> str:
    """A static program of our own in an image of our own: nothing is pulled."""
    folder = tmp_path_factory.mktemp("probe")
    go = ensure_go(Places.here(), needed_go(), api.quiet)
    source = Path(__file__).parent / "probe"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(
        [go, "build", "-trimpath", "-o", folder / "probe", "."], cwd=source, env=environment, check=True
    )
    archive = folder / "probe.tar"
    archive.write_bytes(
        oci.image_archive(IMAGE, {"probe": (folder / "probe").read_bytes()}, ["/probe"], platform.machine())
    )
    cluster.load_image(archive)
    return IMAGE


class Kubectl:
    def __init__(self, cluster: api.Cluster) -> None:
        self._command = [
            str(api.clients().kubectl),
            f"--kubeconfig={cluster.kubeconfig}",
            f"--namespace={NAMESPACE}",
        ]

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*self._command, *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


@pytest.fixture
def kubectl(cluster: api.Cluster) -> Iterator[Kubectl]:
    call = Kubectl(cluster)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    call.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    yield call
    call("delete", "namespace", NAMESPACE, "--timeout=60s")


def pod(image: str, *arguments: str, **more: Any) -> dict[str, Any]:
    volumes = {
        "token": {
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}},
                    {
                        "configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                ]
            }
        },
        "secret": {
            "secret": {"secretName": "there-is-none", "optional": True, "items": [{"key": "a", "path": "a"}]}
        },
        "scratch": {"emptyDir": {"sizeLimit": "10Mi"}},
    }
    mounts = {"token": "/var/run/token", "secret": "/secret", "scratch": "/scratch"}
    container = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
        **more,
    }
    return {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": name, **volume} for name, volume in volumes.items()],
        "containers": [container],
    }


def test_a_job_runs_under_every_restriction_and_reaches_names_services_and_the_api_server(
    kubectl: Kubectl, probe: str
) -> None:
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "peer", "labels": {"app": "peer"}},
            "spec": pod(probe, "serve"),
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
                "template": {"spec": pod(probe, env=[{"name": "PEER", "value": "http://peer"}])},
            },
        }
    )
    kubectl("wait", "job/probe", "--for=condition=Failed", "--timeout=60s")

    (ended,) = json.loads(kubectl("get", "pods", "-l", "job-name=probe", "-o", "json"))["items"]
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
