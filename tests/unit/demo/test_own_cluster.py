"""The demo on a person's own cluster: the CRD, and with it every schedule, is not the demo's to take or to delete.

kubectl and helm are programs that know a cluster of a few objects; the demo is run as it is typed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CRD = "gscsyncschedules.gscsync.io"
OURS = {"meta.helm.sh/release-name": "gsc", "meta.helm.sh/release-namespace": "gsc-demo"}
TEAMS = {"meta.helm.sh/release-name": "gsc", "meta.helm.sh/release-namespace": "seo"}

PROGRAM = """#!{python} -IS
import json, pathlib, sys
file = pathlib.Path({state!r})
state = json.loads(file.read_text())
state["calls"].append(sys.argv[1:])
if "helm" not in sys.argv[0]:
    verb = sys.argv[sys.argv.index("gsc-demo") + 1:]
    if verb[:2] == ["get", "crd"] and state["crd"]:
        print(json.dumps(state["crd"]))
    elif verb[:2] == ["get", {crd!r}]:
        print(json.dumps({{"items": state["schedules"]}}))
    elif verb[:2] == ["delete", "crd"]:
        state["crd"], state["schedules"] = None, []
    elif verb[:2] == ["delete", "namespace"]:
        state["schedules"] = [each for each in state["schedules"] if each["metadata"]["namespace"] != "gsc-demo"]
file.write_text(json.dumps(state))
"""


@dataclass
class OwnCluster:
    folder: Path

    def has(self, annotations: dict[str, str] | None, *schedules: str) -> None:
        """`annotations` None: no CRD."""
        places = [place.split("/") for place in schedules]
        items = [{"metadata": {"namespace": namespace, "name": name}} for namespace, name in places]
        crd = None if annotations is None else {"metadata": {"name": CRD, "annotations": annotations}}
        self.file.write_text(json.dumps({"crd": crd, "schedules": items, "calls": []}))
        for name in ("kubectl", "helm"):
            program = self.folder / name
            program.write_text(PROGRAM.format(python=sys.executable, state=str(self.file), crd=CRD))
            program.chmod(0o755)

    def demo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Nothing else is on the PATH, so no image can be built."""
        command = [sys.executable, "-m", "demo", *arguments, "--context", "mine"]
        environment = {"PATH": str(self.folder), "COLUMNS": "500"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    @property
    def file(self) -> Path:
        return self.folder / "cluster.json"

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


@pytest.fixture
def cluster(tmp_path: Path) -> OwnCluster:
    return OwnCluster(tmp_path)


@pytest.mark.parametrize(
    ("annotations", "whose"),
    [
        pytest.param(TEAMS, "the Helm release 'gsc' in namespace 'seo'", id="another release"),
        pytest.param({}, "no Helm release", id="kubectl apply"),
    ],
)
def test_a_definition_of_somebody_else_is_not_taken_over(
    cluster: OwnCluster, annotations: dict[str, str], whose: str
) -> None:
    cluster.has(annotations, "seo/marketing")
    done = cluster.demo("up", "--registry", "registry.example/me")
    assert done.returncode == 1
    assert f"it belongs to {whose}" in done.stdout
    assert "Give another CONTEXT" in done.stdout
    assert [call[4:6] for call in cluster.state["calls"]] == [["get", "crd"]], "asked, and nothing done"


@pytest.mark.parametrize("annotations", [None, OURS], ids=["no definition yet", "the demo's own, again"])
def test_a_cluster_without_another_definition_is_gone_on_with(
    cluster: OwnCluster, annotations: dict[str, str] | None
) -> None:
    cluster.has(annotations)
    done = cluster.demo("up", "--registry", "registry.example/me")
    assert "building and pushing registry.example/me" in done.stdout
    assert "belongs to" not in done.stdout


def test_taking_the_demo_away_takes_its_definition_too(cluster: OwnCluster) -> None:
    cluster.has(OURS, "gsc-demo/healthy", "gsc-demo/partial")
    done = cluster.demo("down")
    assert done.returncode == 0, done.stderr
    assert cluster.state["crd"] is None


def test_taking_the_demo_away_leaves_the_schedules_of_others(cluster: OwnCluster) -> None:
    cluster.has(OURS, "gsc-demo/healthy", "seo/marketing")
    done = cluster.demo("down")
    assert done.returncode == 0, done.stderr
    assert cluster.state["crd"]
    assert [each["metadata"]["name"] for each in cluster.state["schedules"]] == ["marketing"]
    assert "schedules that are left: seo/marketing" in done.stdout
    assert f"kubectl delete crd {CRD}" in done.stdout


@pytest.mark.parametrize("annotations", [TEAMS, {}], ids=["another release", "kubectl apply"])
def test_taking_the_demo_away_leaves_a_definition_of_somebody_else(
    cluster: OwnCluster, annotations: dict[str, str]
) -> None:
    cluster.has(annotations)
    done = cluster.demo("down")
    assert done.returncode == 0, done.stderr
    assert cluster.state["crd"]
    assert "the CRD stays: it belongs to" in done.stdout


def test_where_there_is_no_definition_nothing_is_left_to_say(cluster: OwnCluster) -> None:
    cluster.has(None)
    done = cluster.demo("down")
    assert done.returncode == 0, done.stderr
    assert "the CRD" not in done.stdout
    assert "crd" not in [word for call in cluster.state["calls"] if "delete" in call for word in call]
