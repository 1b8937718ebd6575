"""What the tests of a real node share: kubectl, an image made here, and a pod under every restriction."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from devcluster import api, oci
from devcluster.build import needed_go
from devcluster.places import Places
from devcluster.tools import ensure_go

IMAGE = "localhost/gscdev-probe:1"


def load_probe(cluster: api.Cluster, folder: Path) -> None:
    """A static program of our own in an image of our own: nothing is pulled."""
    go = ensure_go(Places.here(), needed_go(), api.quiet)
    source = Path(__file__).parent / "probe"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(
        [go, "build", "-trimpath", "-o", folder / "probe", "."], cwd=source, env=environment, check=True
    )
    program = (folder / "probe").read_bytes()
    archive = folder / "probe.tar"
    archive.write_bytes(oci.image_archive(IMAGE, {"probe": program}, ["/probe"], platform.machine()))
    cluster.load_image(archive)


class Kubectl:
    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._command = [
            str(api.clients().kubectl),
            f"--kubeconfig={kubeconfig}",
            f"--namespace={namespace}",
        ]

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*self._command, *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def get(self, *words: str) -> Any:
        return json.loads(self("get", *words, "-o", "json"))


def pod(*arguments: str, **more: Any) -> dict[str, Any]:
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
        "image": IMAGE,
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
