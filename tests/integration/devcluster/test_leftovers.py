"""A node with running pods is taken away, also after all its programs were killed: the machine is as it was before."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import api, node, processes
from devcluster import cluster as clusters
from devcluster.leftovers import DEVICE_SOCKET, FOLDERS, SETTINGS
from devcluster.places import Places
from devcluster.record import read
from tests.integration.devcluster.pods import Kubectl, load_probe, pod

pytestmark = [pytest.mark.needs_node, pytest.mark.timeout(900)]
NAME = "leftovers"
# Where such programs usually leave something; the first of them did before they were told not to.
SUSPECTS = ("/opt/containerd", "/run/netns", "/var/lib/containerd", "/var/lib/cni/networks", "/var/log/pods")


def output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def read_setting(name: str) -> str:
    file = Path("/proc/sys", name)
    return file.read_text() if file.exists() else "not there"


def content(path: Path) -> list[str] | None:
    """Names in a folder; None when there is none."""
    if not path.exists():
        return None
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def traces() -> dict[str, object]:
    """What a node changes on a machine; the machine's other changes are none of this test's business."""
    links = [line.split(":")[1].strip() for line in output("ip", "-o", "link")]
    places = Places.here()
    return {
        "links": [link for link in links if link.startswith(("gscdev", "veth"))],
        # A machine that never had a node may lack the program: `up` installs it.
        "nftables": output("nft", "list", "tables") if shutil.which("nft") else [],
        "mounts": [
            line for line in Path("/proc/mounts").read_text().splitlines() if NAME in line or "netns" in line
        ],
        "processes": processes.strays(places.binaries, places.run_folder(NAME)),
        "cgroups": sorted(str(group) for group in Path("/sys/fs/cgroup").glob("**/k8s.io")),
        "settings": {name: read_setting(name) for name in SETTINGS},
        "files": {path: content(Path(path)) for path in (*FOLDERS, *SUSPECTS, str(DEVICE_SOCKET))},
        "run folder": places.run_folder(NAME).exists(),
        "holder": node.holder(),
    }


@pytest.fixture
def before() -> Iterator[dict[str, object]]:
    """The machine before the test; whatever the test does, no cluster stays."""
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    if node.holder() is not None:
        pytest.skip(f"a whole cluster is up in {node.holder()}, and this test needs the machine to itself")
    yield traces()
    clusters.down(NAME, Places.here(), api.quiet)


def run_a_pod(cluster: api.Cluster, folder: Path) -> None:
    load_probe(cluster, folder)
    kubectl = Kubectl(cluster.kubeconfig, "default")
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "serves"}, "spec": pod("serve")})
    kubectl("wait", "pod/serves", "--for=condition=Ready", "--timeout=60s")


def test_down_with_a_running_pod_leaves_nothing(before: dict[str, object], tmp_path: Path) -> None:
    cluster = api.Cluster.up(NAME)
    run_a_pod(cluster, tmp_path)
    during = traces()
    assert {part for part in before if before[part] != during[part]} >= {
        "links",
        "nftables",
        "mounts",
        "cgroups",
    }

    cluster.down()

    assert traces() == before


def test_up_after_a_crash_starts_afresh_and_leaves_nothing_either(
    before: dict[str, object], tmp_path: Path
) -> None:
    crashed = api.Cluster.up(NAME)
    run_a_pod(crashed, tmp_path)
    record = read(crashed.folder)
    assert record is not None
    for started in record.started:
        processes.stop(started.process, 0)

    again = api.Cluster.up(NAME)
    nothing = Kubectl(again.kubeconfig, "default").get("pods")["items"]
    assert nothing == []

    again.down()
    assert traces() == before


def test_a_second_whole_cluster_is_refused_with_the_first_one_named(before: dict[str, object]) -> None:
    cluster = api.Cluster.up(NAME)
    with pytest.raises(api.DevclusterError, match=rf"the whole cluster {NAME} is up.*down --name {NAME}"):
        api.Cluster.up("another")
    assert not Places.here().run_folder("another").exists()
    assert api.Cluster.up(NAME).url == cluster.url, "up on a cluster that is up finds it"
    cluster.down()
    assert traces() == before
